"""B30 to B41 and B83: what a WebSocket carries, before and besides any message."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_inputs.answers import Answer, closed, kinds
from tests.bad_inputs.messages import EOF, PING, ack, event, interrupt, pull, push, sync_query
from tests.bad_inputs.peers import PONG, SocketPeer, new_store_id
from tests.bad_inputs.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    CUT,
    HANDSHAKE,
    TEXT,
    Frame,
    RawWebSocket,
    frame_bytes,
)
from tests.bad_inputs.raw_websocket import PING as PING_FRAME
from tests.bad_inputs.raw_websocket import PONG as PONG_FRAME
from tests.bad_inputs.site_under_test import SiteUnderTest
from tests.processes import wait_until

MAX_FRAME = 1_048_576
PIECE = frame_bytes(b" ", opcode=CONTINUATION, fin=False)
NO_PIECE = frame_bytes(b"", opcode=CONTINUATION, fin=False)
MAX_LIVE_PULLS = 16
MAX_REQUESTS = 64


@pytest.fixture
def peer(site: SiteUnderTest) -> Iterator[SocketPeer]:
    """A socket to a store of its own, with the events 1 and 2 in it."""
    with SocketPeer(site, new_store_id()) as peer:
        peer.push_two()
        yield peer


def fragments(payload: bytes, size: int, *, opcode: int = TEXT) -> bytes:
    """One message in frames of ``size`` bytes."""
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    last = len(pieces) - 1
    return b"".join(
        frame_bytes(piece, opcode=CONTINUATION if index else opcode, fin=index == last)
        for index, piece in enumerate(pieces)
    )


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame_bytes(b" " * (MAX_FRAME + 1)), 1009, id="B30: text of 1 MiB and a byte"),
        pytest.param(
            frame_bytes(b" " * (MAX_FRAME + 1), opcode=BINARY), 1009, id="B30: the same, binary"
        ),
        pytest.param(fragments(b" " * (MAX_FRAME + 1), 4_096), 1009, id="B32: in fragments"),
        pytest.param(
            fragments(b" " * 1_000, 1)[:-7] + frame_bytes(b" " * MAX_FRAME, opcode=CONTINUATION),
            1009,
            id="B32: in fragments of a byte, then a large one",
        ),
        pytest.param(
            frame_bytes(b"", fin=False) + PIECE * (MAX_FRAME + 1),
            1009,
            id="B32: in fragments of a byte",
        ),
        pytest.param(
            frame_bytes(b"", fin=False) + NO_PIECE * 100_000,
            1009,
            id="B32: in fragments of nothing",
        ),
        pytest.param(frame_bytes(PING.encode(), rsv=4), 1002, id="B34: compressed, unasked for"),
        pytest.param(frame_bytes(b'"\xff"'), 1007, id="B36: no UTF-8"),
        pytest.param(frame_bytes(b'"\xc0\x80"'), 1007, id="B36: overlong"),
        pytest.param(frame_bytes(b'"\xed\xa0\xbd"'), 1007, id="B36: a surrogate"),
        pytest.param(frame_bytes(b'"\xf0\x9f\x98'), 1007, id="B36: cut short"),
        pytest.param(
            frame_bytes(b'"\xf0\x9f', fin=False) + frame_bytes(b'"', opcode=CONTINUATION),
            1007,
            id="B36: cut short at the edge of a fragment",
        ),
        pytest.param(frame_bytes(PING.encode("utf-16")), 1007, id="B36: UTF-16 with its mark"),
    ],
)
def test_a_frame_that_closes_its_socket_and_no_other(
    peer: SocketPeer, sent: bytes, code: int
) -> None:
    with peer.site.writes_nothing():
        peer.socket.send(sent)

        assert peer.observe(closed(code)) == closed(code)

    with peer.another() as other:
        other.push(3, 2)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(frame_bytes(PING.ljust(MAX_FRAME).encode()), id="B30: exactly 1 MiB"),
        pytest.param(fragments(PING.encode(), 1), id="B32: in fragments of a byte"),
        pytest.param(fragments(PING.ljust(MAX_FRAME).encode(), 256), id="B32: in 4,096 fragments"),
        pytest.param(fragments('{"_tag":"Ping","x":"\U0001f600"}'.encode(), 1), id="B36: split"),
        pytest.param(frame_bytes(PING.encode(), opcode=BINARY), id="B37: binary"),
        pytest.param(fragments(PING.encode(), 5, opcode=BINARY), id="B37: binary, in fragments"),
    ],
)
def test_a_frame_that_is_taken(peer: SocketPeer, sent: bytes) -> None:
    peer.socket.send(sent)

    assert peer.socket.receive() == Frame(TEXT, PONG.encode())
    peer.push(3, 2)


def test_b37_a_push_in_a_binary_frame_is_stored(peer: SocketPeer) -> None:
    message = peer.fill(push(event(3, 2, name='"\u20ac"'))).encode()

    assert peer.exchange(message, kinds("Success")) == kinds("Success")

    assert peer.site.numbers(peer.store_id) == [1, 2, 3]


def test_b34_compression_is_not_agreed_to(site: SiteUnderTest) -> None:
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-unknown"
    target = f"/?{sync_query(new_store_id(), 'ws')}"

    with RawWebSocket(site.port, target, (*HANDSHAKE, offer)) as opened:
        assert opened.handshake.header("sec-websocket-extensions") is None
        opened.send_text(PING)
        assert opened.receive() == Frame(TEXT, PONG.encode())


def test_b38_a_flood_of_pings_ends_in_1008(peer: SocketPeer) -> None:
    with peer.site.writes_nothing():
        peer.socket.send(frame_bytes(PING.encode()) * 10_000)

        frames = list(iter(peer.socket.receive, Frame(CLOSE, (1008).to_bytes(2))))

    assert 1_000 <= len(frames) < 10_000
    assert set(frames) == {Frame(TEXT, PONG.encode())}
    with peer.another() as other:
        other.push(3, 2)


def test_b38_ten_thousand_ping_frames_get_their_pongs(peer: SocketPeer) -> None:
    numbers = [str(number).encode() for number in range(10_000)]
    for number in numbers:
        peer.socket.send(frame_bytes(number, opcode=PING_FRAME))

    assert [peer.socket.receive_frame() for _ in numbers] == [
        Frame(PONG_FRAME, number) for number in numbers
    ]
    peer.push(3, 2)


def test_b39_pings_are_answered_while_a_pull_waits_for_its_ack(peer: SocketPeer) -> None:
    many = [event(number, number - 1) for number in range(3, 303)]
    assert peer.exchange(push(*many), kinds("Success")) == kinds("Success")
    peer.socket.send_text(peer.fill(pull()))
    assert b'"MoreKnown"' in peer.socket.receive().payload

    peer.socket.send(frame_bytes(b"are you there", opcode=PING_FRAME))
    assert peer.socket.receive_frame() == Frame(PONG_FRAME, b"are you there")
    peer.socket.send_text(PING)
    assert peer.socket.receive() == Frame(TEXT, PONG.encode())

    peer.socket.send_text(ack())
    rest = kinds("Chunk", "Chunk", "Chunk", "Success")
    assert peer.observe(rest) == rest


def test_b40_live_pulls_beyond_the_sixteenth_are_refused(peer: SocketPeer) -> None:
    expected = Answer(
        tuple(
            sorted(
                [f"Chunk of {n}" for n in range(16)]
                + [f"UnknownError of {n}" for n in range(16, 1_000)]
            )
        )
    )
    with peer.site.writes_nothing():
        for number in range(1_000):
            peer.socket.send_text(peer.fill(pull(live="true", id=f'"{number}"')))

        answered = peer.observe(expected, id="none of these")

        assert answered._replace(kinds=tuple(sorted(answered.kinds))) == expected
    with peer.another() as other:
        other.push(3, 2)
    heard = peer.observe(kinds(*["Chunk"] * MAX_LIVE_PULLS), id="none of these")
    assert sorted(heard.kinds) == sorted(f"Chunk of {n}" for n in range(MAX_LIVE_PULLS))


def test_b40_requests_beyond_the_sixty_fourth_are_refused(peer: SocketPeer) -> None:
    with peer.site.writes_nothing():
        for number in range(100):
            peer.socket.send_text(peer.fill(pull(id=f'"{number}"')))
        frames = [peer.socket.receive().payload.decode() for _ in range(100)]

    refused = [frame for frame in frames if "LimitError" in frame]
    assert len(refused) == 100 - MAX_REQUESTS
    assert all('"_tag":"UnknownError"' in frame for frame in refused)
    for number in range(MAX_REQUESTS):
        peer.socket.send_text(ack(f'"{number}"'))
    ends = [json.loads(peer.socket.receive().payload) for _ in range(MAX_REQUESTS)]
    assert {end["exit"]["_tag"] for end in ends} == {"Success"}
    peer.push(3, 2)


@pytest.mark.parametrize("second", [pull(live="true"), pull(), push(event(3, 2))])
def test_b40_an_id_in_use_is_refused_to_the_second(peer: SocketPeer, second: str) -> None:
    assert peer.exchange(pull(live="true"), kinds("Chunk")) == kinds("Chunk")

    with peer.site.writes_nothing():
        assert peer.exchange(second, kinds("UnknownError")) == kinds("UnknownError")

    with peer.another() as other:
        other.push(3, 2)
    assert peer.observe(kinds("Chunk")) == kinds("Chunk")


def test_b41_what_comes_late_for_a_request_is_ignored(peer: SocketPeer) -> None:
    assert peer.exchange(pull(live="true"), kinds("Chunk")) == kinds("Chunk")
    assert peer.exchange(EOF, kinds()) == kinds()
    assert peer.exchange(interrupt(), kinds("Interrupt")) == kinds("Interrupt")

    for late in (interrupt(), ack(), EOF):
        assert peer.exchange(late, kinds()) == kinds()
    with peer.another() as other:
        other.push(3, 2)
    peer.push(4, 3)


def test_b83_a_live_pull_ends_when_its_client_sends_no_more(peer: SocketPeer) -> None:
    gone = SocketPeer(peer.site, peer.store_id)
    port = gone.socket.socket.getsockname()[1]
    assert gone.exchange(pull(live="true"), kinds("Chunk")) == kinds("Chunk")
    assert is_held(peer.site, port)

    gone.socket.socket.shutdown(socket.SHUT_WR)

    assert gone.socket.receive() == Frame(CLOSE, CUT.to_bytes(2))
    wait_until(lambda: not is_held(peer.site, port), what="the server lets go of the connection")
    gone.close()
    peer.push(3, 2)


def is_held(site: SiteUnderTest, port: int) -> bool:
    """Whether the server has its side of the connection from ``port`` open; proc(5), net/tcp."""
    ends = (f"{site.port:04X}", f"{port:04X}")
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = [row[9] for row in rows if (row[1].split(":")[1], row[2].split(":")[1]) == ends]
    return any(inode != "0" for inode in inodes)
