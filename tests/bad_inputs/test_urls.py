"""B01 to B19, B28 and B29: what a URL and the head of a request say."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tests.bad_inputs import query_rows
from tests.bad_inputs.answers import SUCCESS
from tests.bad_inputs.messages import CANARY, push, sync_query
from tests.bad_inputs.peers import HEADERS, JSON_TYPE, HttpPeer
from tests.bad_inputs.query_rows import INVALID, KEY, Query
from tests.bad_inputs.raw_http import HttpAnswer
from tests.bad_inputs.raw_websocket import HANDSHAKE
from tests.bad_inputs.rows import as_parameters
from tests.bad_inputs.site_under_test import SiteUnderTest

INFO = "Info: Sync backend endpoint for @livestore/sync-cf."
NO_SYNC_QUERY = [row for row in query_rows.ROWS if row.id in ("B03", "B04", "B08")]


@pytest.mark.parametrize("row", as_parameters(query_rows.ROWS))
def test_a_query_names_a_store_or_is_refused(
    row: Query, site: SiteUnderTest, transport: str
) -> None:
    with site.writes_nothing():
        answer = ask_over(transport, site, b"/any?" + row.over(transport))

    if row.refused_with is None:
        assert answer.status == (101 if transport == "ws" else 200), answer.body
    else:
        assert (answer.status, answer.text) == (400, row.refused_with)
    check_next(site)


@pytest.mark.parametrize("row", as_parameters(NO_SYNC_QUERY))
def test_b01_get_without_a_sync_query_gets_the_info(row: Query, site: SiteUnderTest) -> None:
    target = b"/?" + row.over("http")

    assert site.ask("GET", target)[::2] == (200, INFO.encode())
    assert site.ask("GET", b"/any" + target[1:])[::2] == (400, INVALID.encode())


class Head(NamedTuple):
    """A request without a WebSocket behind it."""

    id: str
    what: str
    method: str
    target: str | bytes
    status: int
    text: str | None = None
    """The body; None: not looked at."""

    headers: Sequence[str | bytes] = ()


HTTP = f"/?{sync_query('a', 'http')}"
WS = f"/?{sync_query('a', 'ws')}"
BOTH_HOSTS = ("Host: 127.0.0.1", "Host: evil.example")
UPGRADE = "Durable Object expected Upgrade: websocket"

HEADS = [
    Head("B01", "GET /", "GET", "/", 200, INFO),
    Head("B01", "HEAD /", "HEAD", "/", 200),
    Head("B02", "POST /", "POST", "/", 400, INVALID),
    Head("B02", "OPTIONS /", "OPTIONS", "/", 400, INVALID),
    Head("B02", "GET /foo", "GET", "/foo", 400, INVALID),
    Head("B02", "GET //", "GET", "//", 400, INVALID),
    *[
        Head("B05", f"{method} of a WebSocket's URL", method, WS, 426, UPGRADE)
        for method in ("GET", "POST", "PUT")
    ],
    Head("B09", "storeId of 1 MiB", "GET", f"/?storeId={'x' * 1_048_576}&transport=http{KEY}", 414),
    Head("B14", "raw bytes that are no UTF-8", "POST", b"/?storeId=\xff&transport=http", 400),
    Head(
        "B16", "payload of 64 KiB", "GET", f"/?storeId=a&payload={'1' * 65_536}&transport=http", 414
    ),
    Head("B19", "a host of others", "POST", HTTP, 400, "Invalid host", ("Host: evil.example",)),
    Head("B19", "no host", "POST", HTTP, 400, None, ("Host:",)),
    Head("B19", "a host that is none", "POST", HTTP, 400, None, ("Host: 127.0.0.1:x y",)),
    Head("B19", "two hosts", "POST", HTTP, 400, None, BOTH_HOSTS),
    Head("B19", "twice the same host", "POST", HTTP, 400, None, ("Host: 127.0.0.1",) * 2),
    Head("B19", "absolute target", "POST", f"http://127.0.0.1{HTTP}", 400),
    Head("B19", "absolute target of others", "POST", f"http://evil.example{HTTP}", 400),
    Head("B19", "target without a path", "POST", HTTP[1:], 400),
    Head("B19", "info for a host of others", "GET", "/", 400, None, ("Host: evil.example",)),
    *[
        Head("B28", method, method, HTTP, 405)
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH")
    ],
    Head("B29", "another store", "POST", HTTP, 400, None, ("x-livestore-store-id: b", JSON_TYPE)),
    Head("B29", "no store", "POST", HTTP, 400, None, ("x-livestore-store-id:", JSON_TYPE)),
]


@pytest.mark.parametrize("row", as_parameters(HEADS))
def test_a_request_without_a_websocket(row: Head, site: SiteUnderTest) -> None:
    with site.writes_nothing():
        answer = site.ask(row.method, row.target, headers=(*row.headers, *HEADERS))

    assert answer.status == row.status
    assert row.text is None or answer.text == row.text
    assert CANARY not in answer.body.decode("latin-1")
    check_next(site)


@pytest.mark.parametrize(
    ("headers", "target", "status"),
    [
        pytest.param((), WS, 101, id="as a client does"),
        pytest.param(("Upgrade: WebSocket",), WS, 101, id="B06: in capitals"),
        pytest.param((), HTTP, 400, id="B05: to a URL of the other transport"),
        pytest.param((), "/", 400, id="B01: without a query"),
        pytest.param((), b"/?storeId=\xff&transport=ws", 400, id="B14: no UTF-8"),
        pytest.param((), f"/?storeId={'x' * 1_048_576}&transport=ws", 414, id="B09: of 1 MiB"),
        pytest.param(("Host: evil.example",), WS, 400, id="B19: a host of others"),
        pytest.param(BOTH_HOSTS, WS, 400, id="B19: two hosts"),
        pytest.param((), f"http://127.0.0.1{WS}", 400, id="B19: absolute target"),
        pytest.param(("x-livestore-store-id: b",), WS, 400, id="B29: another store"),
        pytest.param(("x-livestore-store-id: a",), WS, 101, id="B29: the same store"),
        pytest.param((), f"/admin/{WS[1:]}", 400, id="a path of the site"),
    ],
)
def test_a_handshake(
    headers: tuple[str, ...], target: str | bytes, status: int, site: SiteUnderTest
) -> None:
    upgrade = HANDSHAKE[1:] if any(line.startswith("Upgrade") for line in headers) else HANDSHAKE

    with site.writes_nothing():
        assert site.ask("GET", target, headers=(*upgrade, *headers, *HEADERS)).status == status

    check_next(site)


def ask_over(transport: str, site: SiteUnderTest, target: bytes) -> HttpAnswer:
    """A handshake, or a message that is no request; the key is in the query, if anywhere."""
    if transport == "ws":
        return site.ask("GET", target, headers=HANDSHAKE)
    return site.ask("POST", target, headers=(JSON_TYPE,), body=b'{"_tag":"Ping"}')


def check_next(site: SiteUnderTest) -> None:
    """Check that an empty push to a store that exists gets through."""
    with HttpPeer(site, "next") as peer:
        assert peer.exchange(push(), SUCCESS) == SUCCESS
