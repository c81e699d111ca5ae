"""B57 to B76: what several events, or several pushes after each other, come to."""

from collections.abc import Sequence

import pytest

from tests.bad_inputs.answers import (
    DIE,
    REFUSED,
    SUCCESS,
    error_of,
    kinds,
)
from tests.bad_inputs.messages import event, pull, push, some
from tests.bad_inputs.peers import PEERS, HttpPeer, Peer, SocketPeer, new_store_id
from tests.bad_inputs.site_under_test import SiteUnderTest

AHEAD = kinds("ServerAheadError")
LARGEST = 2**53 - 1


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param([(20_000, 0), (20_001, 20_000)], id="B59: a jump at the start"),
        pytest.param([(1, 0), (20_000, 1), (20_001, 20_000)], id="B59: a jump in the middle"),
        pytest.param([(1, 0), (3, 1)], id="B60: a gap"),
        pytest.param([(LARGEST, 0)], id="B64: the largest number"),
        pytest.param([(n, n - 1) for n in range(1, 5_001)], id="B72: 5,000 events"),
    ],
)
def test_a_chain_is_stored_whole_and_read_in_its_order(
    chain: Sequence[tuple[int, int]], site: SiteUnderTest, transport: str
) -> None:
    pages = -(-len(chain) // 100)
    pulled = kinds(*["Chunk"] * pages, "Success")
    with PEERS[transport](site, new_store_id()) as peer:
        message = push(*[event(*numbers) for numbers in chain])

        assert peer.exchange(message, SUCCESS) == SUCCESS

        assert site.numbers(peer.store_id) == [seq_num for seq_num, _ in chain]
        assert peer.exchange(pull(), pulled) == pulled
        assert numbers(peer) == list(chain)


def test_b64_a_store_at_the_largest_number_refuses_cleanly(
    site: SiteUnderTest, transport: str
) -> None:
    with PEERS[transport](site, new_store_id()) as peer:
        peer.push(LARGEST, 0)

        with site.writes_nothing():
            assert peer.exchange(push(event(LARGEST + 1, LARGEST)), DIE) == DIE
            assert peer.exchange(push(event(LARGEST, LARGEST)), REFUSED) == REFUSED
            assert peer.exchange(push(event(LARGEST, 0)), AHEAD) == AHEAD
            assert peer.exchange(push(), SUCCESS) == SUCCESS


@pytest.mark.parametrize(
    ("message", "expected", "provided"),
    [
        pytest.param(push(event(2, 1)), 2, 1, id="B57: behind"),
        pytest.param(push(event(9, 8), event(10, 9)), 2, 8, id="B58: before"),
    ],
)
def test_who_is_not_at_the_head_is_told_where_it_is(
    message: str, expected: int, provided: int, peer: Peer
) -> None:
    peer.exchange(message, AHEAD)

    (answer,) = peer.received
    assert error_of(answer) == {
        "_tag": "ServerAheadError",
        "minimumExpectedNum": expected,
        "providedNum": provided,
    }


def test_b57_who_is_behind_has_the_events_it_lacks(site: SiteUnderTest) -> None:
    with SocketPeer(site, new_store_id()) as peer, HttpPeer(site, peer.store_id) as other:
        peer.push_two()
        assert peer.exchange(pull(live="true", id='"9"'), kinds("Chunk"), id="9") == kinds("Chunk")
        other.push(3, 2)
        assert peer.observe(kinds("Chunk"), id="9") == kinds("Chunk")
        assert numbers(peer) == [(3, 2)]

        assert peer.exchange(push(event(3, 2)), AHEAD) == AHEAD

        # the pull may be reading the log again, so that its chunk comes after the acknowledgement
        answered = peer.exchange(push(event(4, 3)), kinds("Chunk of 9", "Success"))
        assert sorted(answered.kinds) == ["Chunk of 9", "Success"]
        assert numbers(peer) == [(4, 3)]


@pytest.mark.parametrize("received", ["other", "\ud83d", "x" * 128])
def test_b73_a_client_of_another_history_is_told_both(peer: Peer, received: str) -> None:
    text = '"\\ud83d"' if received == "\ud83d" else f'"{received}"'

    peer.exchange(push(event(), backendId=some(text)), kinds("BackendIdMismatchError"))

    (answer,) = peer.received
    assert error_of(answer) == {
        "_tag": "BackendIdMismatchError",
        "expected": peer.row.backend_id,
        "received": received,
    }


def test_b75_what_was_stored_is_not_stored_again(peer: Peer) -> None:
    again = push(event(1, 0), event(2, 1))

    with peer.site.writes_nothing():
        assert peer.exchange(again, AHEAD) == AHEAD
        with peer.another() as other:
            assert other.exchange(again, AHEAD) == AHEAD
        with peer.another() as other:
            assert other.exchange(push(event(2, 1)), AHEAD) == AHEAD


def test_b75_nor_after_a_restart(site: SiteUnderTest) -> None:
    with HttpPeer(site, new_store_id()) as peer:
        peer.push_two()
        with site.writes_nothing():
            peer.close()
            site.process.kill()
            site.process.start()

            for transport in PEERS.values():
                with transport(site, peer.store_id) as other:
                    assert other.exchange(push(event(1, 0), event(2, 1)), AHEAD) == AHEAD


def test_b76_pushes_of_one_socket_are_stored_in_their_order(site: SiteUnderTest) -> None:
    both = kinds("Success", "Success of 8", "Success of 9")
    with SocketPeer(site, new_store_id()) as peer:
        for message in (push(event(1, 0)), push(event(5, 1), id='"8"')):
            peer.socket.send_text(peer.fill(message))
        third = push(event(6, 5), id='"9"')

        assert peer.exchange(third, both) == both
        assert site.numbers(peer.store_id) == [1, 5, 6]


def test_b76_pushes_of_one_body_are_stored_in_their_order(site: SiteUnderTest) -> None:
    both = kinds("Success", "Success of 8")
    with HttpPeer(site, new_store_id()) as peer:
        message = f"[{push(event(1, 0))},{push(event(2, 1), id=chr(34) + '8' + chr(34))}]"

        assert peer.exchange(message, both) == both
        assert site.numbers(peer.store_id) == [1, 2]


def numbers(peer: Peer) -> list[tuple[int, int]]:
    """The events of the last exchange: their numbers and their parents'."""
    events = [
        item["eventEncoded"]
        for message in peer.received
        if message["_tag"] == "Chunk"
        for page in message["values"]
        for item in page["batch"]
    ]
    return [(found["seqNum"], found["parentSeqNum"]) for found in events]
