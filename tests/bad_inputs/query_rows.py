"""B03 to B18: the queries of a sync URL."""

from typing import NamedTuple
from urllib.parse import quote

from tests.bad_inputs.messages import PAYLOAD

INVALID = "Invalid path"
UNAUTHORISED = "UnknownError: Invalid auth token"
KEY = f"&payload={quote(quote(PAYLOAD))}"


class Query(NamedTuple):
    """A query in which ``TRANSPORT`` stands for ``ws`` or ``http``."""

    id: str
    what: str
    query: str
    refused_with: str | None = INVALID
    """What the answer 400 says; None: it is accepted."""

    def over(self, transport: str) -> bytes:
        """The query as it is sent."""
        return self.query.replace("TRANSPORT", transport).encode()


def stores(id: str, ids: dict[str, str], refused_with: str | None = INVALID) -> list[Query]:
    """Rows that differ in the store id, percent-encoded already."""
    return [
        Query(id, f"storeId {what}", f"storeId={store_id}&transport=TRANSPORT{KEY}", refused_with)
        for what, store_id in ids.items()
    ]


def payloads(id: str, texts: dict[str, str], refused_with: str | None = INVALID) -> list[Query]:
    """Rows that differ in the payload, percent-encoded already."""
    return [
        Query(id, f"payload {what}", f"storeId=a&payload={text}&transport=TRANSPORT", refused_with)
        for what, text in texts.items()
    ]


def twice(text: str) -> str:
    """Encoded as the client does it."""
    return quote(quote(text, safe=""), safe="")


ROWS = [
    Query("B03", "no transport", f"storeId=a{KEY}"),
    Query("B03", "no storeId", f"transport=TRANSPORT{KEY}"),
    Query("B03", "nothing in it", ""),
    Query("B03", "names in other letters", f"storeid=a&Transport=TRANSPORT{KEY}"),
    *[
        Query("B04", f"transport {transport!r}", f"storeId=a&transport={transport}{KEY}")
        for transport in ("do-rpc", "WS", "Http", "", "ws%20", "ws%00", "%FF", "wss")
    ],
    Query("B07", "storeId twice", f"storeId=a&storeId=b&transport=TRANSPORT{KEY}"),
    Query("B07", "storeId twice the same", f"storeId=a&storeId=a&transport=TRANSPORT{KEY}"),
    Query("B07", "storeId twice, once escaped", f"storeId=a&store%49d=b&transport=TRANSPORT{KEY}"),
    Query("B07", "transport twice", f"storeId=a&transport=http&transport=ws{KEY}"),
    Query("B07", "payload twice", f"storeId=a&transport=TRANSPORT{KEY}{KEY}"),
    *stores("B08", {"empty": "", "without a value": ""}),
    *stores("B09", {"of 513 bytes": "x" * 513, "of 513 bytes in UTF-8": "%E2%82%AC" * 171}),
    *stores("B09", {"of 512 bytes": "x" * 512, "of 510 bytes in UTF-8": "%E2%82%AC" * 170}, None),
    *stores("B10", {"with NUL": "a%00b", "NUL": "%00"}),
    *stores(
        "B13",
        {
            "with a line break": "a%0d%0aSet-Cookie:%20x=1",
            "with a tab": "a%09",
            "with escape": "%1b[31m",
            "with delete": "a%7f",
            "with C1": "a%c2%85",
            "with a line separator": "a%e2%80%a8",
            "with a paragraph separator": "a%e2%80%a9",
        },
    ),
    *stores(
        "B14",
        {
            "no UTF-8": "%ff%fe",
            "overlong": "%c0%80",
            "a surrogate": "%ed%a0%bd",
            "cut short": "%f0%9f%98",
            "escaped as in old scripts": "%u0041",
            "a percent sign": "%",
            "half an escape": "a%4",
            "letters for digits": "%zz",
        },
    ),
    *payloads(
        "B15",
        {
            "no JSON": "x",
            "empty": "",
            "half an object": twice('{"a":'),
            "single quotes": twice("{'a':1}"),
            "NaN": twice("[NaN]"),
            "undefined": "undefined",
            "with a loose percent sign": quote('{"a":"100%"}'),
            "no UTF-8": "%25ff",
            "with a byte order mark": "%EF%BB%BF1",
            "encoded three times": quote(twice(PAYLOAD), safe=""),
        },
    ),
    *payloads(
        "B15",
        {
            text: twice(text)
            for text in (
                "null",
                '"x"',
                "[]",
                "{}",
                "7",
                '{"authToken":null}',
                '{"authToken":["x"]}',
            )
        },
        UNAUTHORISED,
    ),
    *payloads("B15", {"encoded once": quote(PAYLOAD), "encoded twice": twice(PAYLOAD)}, None),
    *payloads(
        "B16",
        {
            "of 8,193 bytes": "1" * 8_193,
            "of 20,000 bytes": twice(f'{{"x":"{"y" * 20_000}"}}'),
            "65 deep": "[" * 65 + "]" * 65,
            "4,000 deep": "[" * 4_000 + "]" * 4_000,
        },
    ),
    *payloads(
        "B16",
        {
            "of 8,192 bytes": twice(PAYLOAD.ljust(8_192)),
            "64 deep": twice(f'{PAYLOAD[:-1]},"x":{"[" * 63}{"]" * 63}}}'),
        },
        None,
    ),
    *payloads(
        "B17",
        {
            "with the key as prototype": twice(f'{{"__proto__":{PAYLOAD}}}'),
            "with the key first": twice(f'{PAYLOAD[:-1]},"authToken":"x"}}'),
        },
        UNAUTHORISED,
    ),
    *payloads("B17", {"with the key last": twice(f'{{"authToken":"x",{PAYLOAD[1:]}')}, None),
    Query(
        "B18",
        "unknown parameters",
        f"debug=1&storeId=a&cb=x&&=&transport=TRANSPORT{KEY}&x=%zz",
        None,
    ),
]
