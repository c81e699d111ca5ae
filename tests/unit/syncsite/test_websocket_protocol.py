"""Held frames, and that the short way for whole texts differs from uvicorn's in nothing."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from groundwork.frames import HOLD, RESTART
from syncsite.websocket_protocol import FRAMES_A_TURN, WAITING_MAX, WebSocketProtocol

ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close", "code": RESTART}
MAX_SIZE = 70_000
SEEDS = 200


class Transport(asyncio.Transport):
    """A connection whose writes can be counted."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open here."""

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


@pytest.mark.parametrize(("is_held", "writes"), [(True, 1), (False, 2)])
async def test_a_held_frame_is_written_with_its_successor(is_held: bool, writes: int) -> None:
    frame = {"type": "websocket.send", "text": "the answer", HOLD: is_held}
    client, transport = ClientProtocol(parse_uri("ws://site")), Transport()

    handshake, *written = await _written(client, transport, ACCEPT, frame, CLOSE)

    assert len(written) == writes
    client.receive_data(handshake + b"".join(written))
    answer, close = (event for event in client.events_received() if isinstance(event, Frame))
    assert answer.data == b"the answer"
    assert Close.parse(close.data).code == RESTART


async def test_a_held_frame_for_a_peer_that_has_closed_is_dropped() -> None:
    frame = {"type": "websocket.send", "text": "too late", HOLD: True}
    client, transport = ClientProtocol(parse_uri("ws://site")), Transport()

    _, *written = await _written(client, transport, ACCEPT, CLOSE, frame)

    assert len(written) == 1


def text(content: str) -> bytes:
    return _frame(Opcode.TEXT, content.encode())


def _frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def _any_frame(chance: random.Random) -> bytes:
    """A frame, or a message in fragments, that a well-behaved client may send."""
    data = chance.randbytes(chance.randrange(20))
    size = chance.choice([0, 1, 125, 126, 127, 65_535, 65_536, MAX_SIZE])
    return chance.choice(
        [
            text("é" * chance.randrange(200)),
            text("x" * size),
            _frame(Opcode.BINARY, data),
            _frame(Opcode.PING, data),
            _frame(Opcode.PONG, data),
            _fragmented([data.hex() for _ in range(chance.randint(1, 4))]),
        ]
    )


LAST_FRAMES = (
    b"",
    text("x" * (MAX_SIZE + 1)),
    _frame(Opcode.TEXT, b"\xff"),
    _frame(Opcode.CONT, b"of nothing"),
    _frame(Opcode.CLOSE, b"\x03\xe8") + text("behind the close"),
    _frame(Opcode.TEXT, b"begun", fin=False) + text("before the end of another"),
    Frame(Opcode.TEXT, b"unmasked").serialize(mask=False),
    b"\x81\xff" + b"\x7f" * 8,
    b"\xc1" + text("with a reserved bit")[1:],
    text("cut off")[:-3],
)


def _fragmented(parts: list[str]) -> bytes:
    """A message in fragments, with a ping between them."""
    kinds = [Opcode.TEXT] + [Opcode.CONT] * len(parts)
    pieces = [
        _frame(kind, part.encode(), fin=False) for kind, part in zip(kinds, parts, strict=False)
    ]
    return _frame(Opcode.PING, b"between").join([*pieces, _frame(Opcode.CONT, b"")])


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_it_receives_and_answers_what_uvicorn_would(seed: int) -> None:
    chance = random.Random(seed)
    frames = [_any_frame(chance) for _ in range(chance.randrange(6))]
    last = LAST_FRAMES[seed % len(LAST_FRAMES)]
    # uvicorn drops good messages that come in one piece with a bad one; we do not
    pieces = [*_cut(b"".join(frames), chance), *_cut(last, chance)]

    expected = await _received(WebSocketsSansIOProtocol, pieces)

    assert await _received(WebSocketProtocol, pieces) == expected
    assert await _received(WebSocketProtocol, pieces, handed_over=True) == expected


async def test_a_client_that_does_not_wait_for_the_handshake_is_understood() -> None:
    two = text("two")
    early, pieces = text("one") + two[:4], [two[4:], text("three")]

    ours = await _received(WebSocketProtocol, pieces, early=early)

    assert ours == await _received(WebSocketsSansIOProtocol, pieces, early=early)
    assert [message.get("text") for message in ours[0]] == ["one", "two", "three"]


async def test_an_application_that_does_not_read_stops_the_peer() -> None:
    async with _open(WebSocketProtocol) as (protocol, _):
        protocol.data_received(text("x") * (WAITING_MAX + 1))

        assert protocol.read_paused


async def test_a_flood_is_read_in_turns_and_none_of_it_is_lost() -> None:
    contents = [str(number) for number in range(5_000)]

    async with _open(WebSocketProtocol) as (protocol, _):
        protocol.data_received(b"".join(map(text, contents)))
        at_once = protocol.queue.qsize()
        received = [await protocol.receive() for _ in contents]

        assert at_once <= FRAMES_A_TURN
        assert [message["text"] for message in received] == contents  # type: ignore[typeddict-item]
        assert not protocol.read_paused


async def test_a_flood_is_handed_over_in_turns_and_none_of_it_is_lost() -> None:
    contents = [str(number) for number in range(5_000)]
    taken: list[str] = []

    async with _open_ours() as (protocol, _):
        protocol.hand_texts_to(taken.append)
        protocol.data_received(b"".join(map(text, contents)))
        at_once = len(taken)
        while len(taken) < len(contents):  # noqa: ASYNC110 (the protocol goes on by itself)
            await asyncio.sleep(0)

        assert at_once <= FRAMES_A_TURN
        assert taken == contents
        assert not protocol.read_paused


async def test_a_text_is_not_handed_over_before_those_that_wait_to_be_received() -> None:
    taken: list[str] = []

    async with _open_ours() as (protocol, _):
        protocol.data_received(text("1"))
        protocol.hand_texts_to(taken.append)
        protocol.data_received(text("2"))
        received = [await protocol.receive() for _ in range(2)]
        protocol.data_received(text("3") + _frame(Opcode.BINARY, b"4") + text("5"))

        assert [message["text"] for message in received] == ["1", "2"]
        assert taken == ["3"]
        assert (await protocol.receive())["bytes"] == b"4"
        assert (await protocol.receive())["text"] == "5"


async def test_what_is_handed_over_to_nobody_is_received() -> None:
    taken: list[str] = []

    async with _open_ours() as (protocol, _):
        protocol.hand_texts_to(taken.append)
        protocol.hand_texts_to(None)
        protocol.data_received(text("1"))

        assert taken == []
        assert (await protocol.receive())["text"] == "1"


async def test_a_text_is_sent_at_once_only_where_nothing_goes_first() -> None:
    async with _open_ours() as (protocol, transport):
        assert protocol.send_text("1")
        protocol.pause_writing()
        assert not protocol.send_text("2")
        protocol.resume_writing()
        await protocol.send({"type": "websocket.send", "text": "3", HOLD: True})
        assert not protocol.send_text("4")
        await protocol.send(CLOSE)
        assert not protocol.send_text("5")

    client = ClientProtocol(parse_uri("ws://site"), state=State.OPEN)
    client.receive_data(b"".join(transport.written))
    frames = [event for event in client.events_received() if isinstance(event, Frame)]
    assert [frame.data for frame in frames[:-1]] == [b"1", b"3"]
    assert frames[-1].opcode is Opcode.CLOSE


async def test_a_flood_of_pings_is_answered_in_turns_without_the_application() -> None:
    async with _open(WebSocketProtocol) as (protocol, transport):
        protocol.data_received(_frame(Opcode.PING, b"x") * 1_000)
        at_once = len(transport.written)
        while len(transport.written) < 1_000:  # noqa: ASYNC110 (the protocol goes on by itself)
            await asyncio.sleep(0)

        assert at_once <= FRAMES_A_TURN
        assert not protocol.read_paused


async def test_pings_of_a_peer_that_reads_nothing_are_not_answered() -> None:
    async with _open(WebSocketProtocol) as (protocol, transport):
        protocol.pause_writing()
        protocol.data_received(_frame(Opcode.PING, b"x") * 10)
        protocol.resume_writing()

        assert transport.written == []


async def test_what_came_before_the_end_is_told_before_the_end() -> None:
    contents = [str(number) for number in range(200)]

    async with _open(WebSocketProtocol) as (protocol, _):
        protocol.data_received(b"".join(map(text, contents)))
        protocol.connection_lost(None)
        told = [protocol.queue.get_nowait() for _ in range(protocol.queue.qsize())]

    assert [message.get("text") for message in told] == [*contents, None]


async def test_what_is_handed_over_at_the_end_cannot_be_answered() -> None:
    answered: list[bool] = []

    async with _open_ours() as (protocol, transport):
        protocol.hand_texts_to(lambda content: answered.append(protocol.send_text(content)))
        protocol.data_received(text("x") * 200)
        at_once = len(answered)
        protocol.connection_lost(None)

        assert answered == [True] * at_once + [False] * (200 - at_once)
        assert len(transport.written) == at_once
        assert protocol.queue.qsize() == 1


async def test_texts_arrive_as_they_were_sent() -> None:
    client, transport = ClientProtocol(parse_uri("ws://site")), Transport()
    contents = ["", "x" * 125, "é" * 100, "x" * 70_000]
    frames = [{"type": "websocket.send", "text": content} for content in contents]

    handshake, *written = await _written(client, transport, ACCEPT, *frames)

    client.receive_data(handshake + b"".join(written))
    received = [event.data for event in client.events_received() if isinstance(event, Frame)]
    assert received == [content.encode() for content in contents]


def _cut(stream: bytes, chance: random.Random) -> list[bytes]:
    """The stream in random pieces, some of them of one byte."""
    pieces = []
    while stream:
        size = chance.choice([1, 2, 3, 7, 100, 10_000, len(stream)])
        pieces.append(stream[:size])
        stream = stream[size:]
    return pieces


@contextlib.asynccontextmanager
async def _open(
    kind: Callable[..., WebSocketsSansIOProtocol], *, early: bytes = b""
) -> AsyncIterator[tuple[WebSocketsSansIOProtocol, Transport]]:
    """A connection past its handshake, whose application only accepts."""
    accepted, leave = asyncio.Event(), asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        accepted.set()
        await leave.wait()

    config = Config(
        application,
        lifespan="off",
        log_config=None,
        ws_per_message_deflate=False,
        ws_max_size=MAX_SIZE,
        ws_ping_interval=None,
    )
    config.load()
    protocol, transport = kind(config, ServerState(), {}), Transport()
    protocol.connection_made(transport)
    client = ClientProtocol(parse_uri("ws://site"))
    client.send_request(client.connect())
    protocol.data_received(b"".join(client.data_to_send()) + early)
    await accepted.wait()
    transport.written.clear()
    try:
        yield protocol, transport
    finally:
        leave.set()
        await asyncio.gather(*protocol.tasks)
        if protocol.close_timer is not None:
            protocol.close_timer.cancel()


@contextlib.asynccontextmanager
async def _open_ours() -> AsyncIterator[tuple[WebSocketProtocol, Transport]]:
    async with _open(WebSocketProtocol) as (protocol, transport):
        assert isinstance(protocol, WebSocketProtocol)
        yield protocol, transport


async def _received(
    kind: Callable[..., WebSocketsSansIOProtocol],
    pieces: list[bytes],
    *,
    early: bytes = b"",
    handed_over: bool = False,
) -> tuple[list[Any], bytes]:
    """What an application would be told of these bytes, and what the peer is answered."""
    told: list[Any] = []

    def take(text: str) -> None:
        told.append({"type": "websocket.receive", "text": text})

    async with _open(kind, early=early) as (protocol, transport):
        if handed_over:
            assert isinstance(protocol, WebSocketProtocol)
            protocol.hand_texts_to(take)
        for piece in pieces:
            protocol.data_received(piece)
            told += [protocol.queue.get_nowait() for _ in range(protocol.queue.qsize())]
        return told, b"".join(transport.written)


async def _written(
    client: ClientProtocol, transport: Transport, *messages: dict[str, Any]
) -> list[bytes]:
    """What goes over a connection on which an application sends these messages."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for message in messages:
            await send(message)

    config = Config(application, lifespan="off", log_config=None, ws_per_message_deflate=False)
    config.load()
    protocol = WebSocketProtocol(config, ServerState(), {})
    protocol.connection_made(transport)
    client.send_request(client.connect())
    protocol.data_received(b"".join(client.data_to_send()))
    await asyncio.gather(*protocol.tasks)
    return transport.written
