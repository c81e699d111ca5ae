"""B10 to B12 and B81: a store is what its id says, byte for byte, and nobody else's business."""

import pytest

from tests.bad_inputs.answers import PULLED, closed
from tests.bad_inputs.messages import event, ping_call, pull, push, sync_query
from tests.bad_inputs.peers import (
    JSON_TYPE,
    PEERS,
    URL_TRANSPORTS,
    HttpPeer,
    SocketPeer,
    new_store_id,
)
from tests.bad_inputs.raw_http import HttpAnswer
from tests.bad_inputs.raw_websocket import HANDSHAKE
from tests.bad_inputs.site_under_test import SiteUnderTest

NAMES = {
    "B10": (
        "'; DROP TABLE livesync_store;--",
        '" OR 1=1',
        "../../etc/passwd",
        "CON",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "%2e%2e%2f",
        "%s%(x)s{0}",
        "a?b&c=d#e",
        "\\",
        " ",
    ),
    "B11": ("a-b", "a_b", "A-B", "a b", "a.b"),
    "B12": (
        "\u00e9",
        "e\u0301",
        "\uff41",
        "a",
        "a\u200d",
        "\u202ea",
        "\ufeffa",
        "\U0001f926\U0001f3fd\u200d\u2642\ufe0f",
        "\uffff",
    ),
}


@pytest.mark.parametrize("row_id", NAMES)
def test_every_name_is_a_store_of_its_own(row_id: str, site: SiteUnderTest, transport: str) -> None:
    prefix = new_store_id()
    names = [f"{prefix}{name}" for name in NAMES[row_id]]

    for name in names:
        with PEERS[transport](site, name) as peer:
            peer.push(1, 0)

    assert [site.numbers(name) for name in names] == [[1]] * len(names)
    assert len({site.store(name).backend_id for name in names}) == len(names)
    for name in names:
        with HttpPeer(site, name) as peer:
            assert peer.exchange(pull(), PULLED) == PULLED
            assert site.store(name).backend_id in peer.text


def test_a_name_of_odd_letters_does_not_reach_the_log_as_it_is(site: SiteUnderTest) -> None:
    mismatch = closed(1008, "UnknownError")
    with SocketPeer(site, f"{new_store_id()}\u202e<b>") as peer:
        start = len(site.process.log)
        assert peer.exchange(pull(storeId='"other\\u202e"'), mismatch) == mismatch
    with HttpPeer(site, peer.store_id) as other:
        other.push_two()

    lines = site.process.log[start:]
    assert "\\u202e<b>" in lines
    assert "\u202e" not in lines


@pytest.mark.parametrize("body", [pull(), push(event(1, 0)), ping_call()])
def test_b81_an_unauthorised_caller_learns_nothing(body: str, site: SiteUnderTest) -> None:
    with HttpPeer(site, new_store_id()) as peer:
        peer.push_two()
        filled = peer.fill(body).encode()

    with site.writes_nothing():
        answers = [
            answer_without_date(site, transport, store_id, filled)
            for store_id in (peer.store_id, new_store_id())
            for transport in URL_TRANSPORTS
        ]

    assert answers[:2] == answers[2:]
    assert [answer.status for answer in answers] == [400] * 4


def answer_without_date(
    site: SiteUnderTest, transport: str, store_id: str, body: bytes
) -> HttpAnswer:
    """Ask without the key."""
    target = f"/?{sync_query(store_id, transport, payload=None)}"
    if transport == "ws":
        answer = site.ask("GET", target, headers=HANDSHAKE)
    else:
        answer = site.ask("POST", target, headers=(JSON_TYPE,), body=body)
    headers = [header for header in answer.headers if header[0] != "date"]
    return answer._replace(headers=headers)
