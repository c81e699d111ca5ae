"""Odd events that are accepted: every client gets them back as they were sent.

Each is pushed to an empty store and pulled again over the same transport, and heard by a live pull.
"""

import json
from typing import Any, NamedTuple

import pytest

from tests.bad_inputs.answers import PULLED, SUCCESS, kinds, parse
from tests.bad_inputs.messages import event, members, pull, push
from tests.bad_inputs.peers import PEERS, Peer, SocketPeer, new_store_id
from tests.bad_inputs.rows import as_parameters
from tests.bad_inputs.site_under_test import SiteUnderTest


class Stored(NamedTuple):
    """An event that is sent and, but for ``back``, comes back in the same words.

    ``fields`` are members of the event, each as JSON text or None for absent.
    """

    id: str
    what: str
    fields: dict[str, str | None]
    back: dict[str, Any] = {}
    """Members that come back otherwise than sent, as values."""


def with_args(id: str, args: dict[str, str | None]) -> list[Stored]:
    """Rows that differ in their args only."""
    return [Stored(id, f"args {what}", {"args": text}) for what, text in args.items()]


def with_texts(id: str, texts: dict[str, str]) -> list[Stored]:
    """Rows that have the same text as name, client id and session id."""
    return [
        Stored(id, f"names {what}", dict.fromkeys(("name", "clientId", "sessionId"), json.dumps(t)))
        for what, t in texts.items()
    ]


def push_of(size: int) -> dict[str, str | None]:
    """Args that make a push of one event ``size`` bytes long, the placeholders not filled in."""
    rest = len(push(event(1, 0, args='""')))
    return {"args": f'"{"x" * (size - rest)}"'}


ROWS = [
    Stored("B31", "a push of 900,000 bytes", push_of(900_000)),
    Stored("B71", "an event of 899,000 bytes", {"args": f'"{"x" * (899_000 - len(event(1, 0)))}"'}),
    *with_args("B44", {"1e400": "1e400", "1e400 inside": '{"a":[1e400,-1e400,1e-400]}'}),
    *with_args(
        "B45", {"of 5,000 digits": "9" * 5_000, "of 30 digits": "[123456789012345678901234567890]"}
    ),
    *with_args(
        "B47",
        {
            "500 deep": "[" * 500 + "]" * 500,
            "512 deep": '{"a":' * 512 + "0" + "}" * 512,
            "512 deep with a lone surrogate": "[" * 512 + r'"\ud83d"' + "]" * 512,
            "with brackets in text": f'"{"[" * 2_000}"',
        },
    ),
    *with_args(
        "B48",
        {
            "100,000 keys": members({f"{n:x}": "0" for n in range(100_000)}),
            "100,000 elements": f"[{','.join('0' * 100_000)}]",
        },
    ),
    *with_args("B49", {"duplicate keys": '{"a":1,"b":2,"a":3}'}),
    Stored("B52", "unknown members", {"x": '{"y":[1]}', "_tag": '"Foo"', "__proto__": '{"z":1}'}),
    *[
        Stored("B63", f"seqNum {n}", {"seqNum": n}, {"seqNum": 1})
        for n in ("1.0", "1e0", "10e-1", "0.1e1")
    ],
    *[
        Stored("B63", f"parentSeqNum {n}", {"parentSeqNum": n}, {"parentSeqNum": 0})
        for n in ("-0", "0.0", "-0.0", "0e5")
    ],
    *with_texts(
        "B65",
        {
            "empty": "",
            "of 1,024 bytes": "\u20ac" * 341 + "x",
            "emoji": "\U0001f926\U0001f3fd\u200d\u2642\ufe0f",
            "with quotes": "\"\\'`",
            "with control characters": "\x01\n\r\t\x1e\x1f\x7f\x85\u2028",
            "that separate columns": "a\x1eb",
            "not normal": "e\u0301 \u00e9 \uff41 \ufeff \ufffe \uffff",
        },
    ),
    *with_args(
        "B66",
        {
            **{text: text for text in ("null", "0", "[]", "{}", '""', '"str"', "false", "-1")},
            "missing": None,
            "with blanks": '{ "a" :\t[ 1 ,\r\n2 ] }',
        },
    ),
    *with_args("B67", {"NUL": r'"\u0000"', "NUL in a key": r'{"\u0000":"a\u0000b"}'}),
    *with_args(
        "B68",
        {
            "half an emoji": r'"\ud83d"',
            "the other half": r'{"a":["\udE00"]}',
            "halves the wrong way round": r'"\ude00\ud83d"',
            "half an emoji as key": r'{"\ud83d":1}',
        },
    ),
    *with_args(
        "B69",
        {
            "line separators": '"\u2028\u2029"',
            "noncharacters": '"\uffff\ufffe\U0010ffff"',
            "right to left": '"\u202e\u05d0\u200f"',
            "emoji": '"\U0001f926\U0001f3fd\u200d\u2642\ufe0f"',
            "escaped emoji": r'"\ud83d\ude00"',
            "markup": '"</script><!-- &amp;"',
            "escaped slashes": r'"\/\b\f\u00e9"',
        },
    ),
    *with_args(
        "B70",
        {n: n for n in ("0.1", "1e21", "5e-324", "9007199254740993", "-0.0", "-0", "1E+2", "1.10")},
    ),
]


@pytest.mark.parametrize("row", as_parameters(ROWS))
def test_an_odd_event_comes_back_as_it_was_sent(
    row: Stored, site: SiteUnderTest, transport: str
) -> None:
    store_id = new_store_id()
    sent = event(1, 0, **row.fields)
    with (
        SocketPeer(site, store_id) as listener,
        PEERS[transport](site, store_id) as peer,
    ):
        assert listener.exchange(pull(live="true"), kinds("Chunk")) == kinds("Chunk")

        assert peer.exchange(push(sent), SUCCESS) == SUCCESS, peer.text[:1_000]

        assert listener.observe(kinds("Chunk")) == kinds("Chunk")
        check_received(row, sent, listener)
        assert peer.exchange(pull(), PULLED) == PULLED
        check_received(row, sent, peer)


def check_received(row: Stored, sent: str, peer: Peer) -> None:
    """Check that the last answer holds the event, its args in the words in which they were sent."""
    known = ("name", "args", "seqNum", "parentSeqNum", "clientId", "sessionId")
    expected = {name: value for name, value in parse(sent).items() if name in known}
    ((item,),) = [page["batch"] for page in peer.received[0]["values"]]

    assert item["eventEncoded"] == expected | row.back
    args = row.fields.get("args", '{"a":1}')
    assert args is None or f'"args":{args},"seqNum"' in peer.text
