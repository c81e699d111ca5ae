"""Messages that are refused or ask for nothing: each gets its answer, none leaves a trace.

After each, a valid push goes over the same connection if it is still open, else over a fresh one.
"""

import pytest

from tests.bad_inputs import envelope_rows, pull_rows, push_rows
from tests.bad_inputs.answers import SUCCESS
from tests.bad_inputs.messages import CANARY, event, push
from tests.bad_inputs.peers import PEERS, HttpPeer, Peer, SocketPeer, new_store_id
from tests.bad_inputs.rows import Row, as_parameters
from tests.bad_inputs.site_under_test import SiteUnderTest

ROWS = [*envelope_rows.ROWS, *push_rows.ROWS, *pull_rows.ROWS]


@pytest.mark.parametrize("row", as_parameters(ROWS))
def test_a_message_that_writes_nothing(row: Row, peer: Peer) -> None:
    check(row, peer)


@pytest.mark.parametrize("row", as_parameters(pull_rows.SOCKET_ROWS))
def test_a_message_of_the_websocket_transport(row: Row, site: SiteUnderTest) -> None:
    with SocketPeer(site, new_store_id()) as peer:
        peer.push_two()
        check(row, peer)


@pytest.mark.parametrize("row", as_parameters(push_rows.HTTP_ROWS))
def test_a_message_of_the_http_transport(row: Row, site: SiteUnderTest) -> None:
    with HttpPeer(site, new_store_id()) as peer:
        peer.push_two()
        check(row, peer)


@pytest.mark.parametrize("repeated", [None, "null"])
def test_b78_a_url_without_a_payload_is_repeated_without_one(
    site: SiteUnderTest, transport: str, repeated: str | None
) -> None:
    with PEERS[transport](site, new_store_id(), payload=None) as peer:
        assert peer.exchange(push(event(1, 0), payload=repeated), SUCCESS) == SUCCESS
        expected = push_rows.FOREIGN if transport == "ws" else push_rows.FORBIDDEN
        with site.writes_nothing():
            assert peer.exchange(push(event(2, 1)), expected) == expected


def check(row: Row, peer: Peer) -> None:
    """Send the row's message to a store with two events, and push a third one afterwards."""
    expected = row.answer(peer.transport)

    with peer.site.writes_nothing():
        answered = peer.exchange(row.message, expected, id=row.request_id)

    assert answered == expected, peer.text[:1_000]
    assert CANARY not in peer.text
    assert len(peer.text) < 4_096
    push_third(peer)


def push_third(peer: Peer) -> None:
    """Push event 3 over the same connection, or over a fresh one."""
    if peer.is_open:
        peer.push(3, 2)
    else:
        with peer.another() as fresh:
            fresh.push(3, 2)
    assert peer.site.numbers(peer.store_id) == [1, 2, 3]
