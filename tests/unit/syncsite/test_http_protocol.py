"""How long a connection has for a request, and how many it may send at once."""

import asyncio
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from syncsite import http_protocol
from syncsite.http_protocol import HANDSHAKE_HEADERS_MAX, PIPELINED_MAX, BoundedHttpProtocol
from syncsite.websocket_protocol import WebSocketProtocol
from tests.bad_inputs.raw_websocket import HANDSHAKE


class Transport(asyncio.Transport):
    """A connection that notices when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = asyncio.Event()
        self.written = b""
        self.reading = True

    def write(self, data: Any) -> None:
        self.written += data

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def close(self) -> None:
        self.closed.set()


async def _application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


REQUEST = b"GET / HTTP/1.1\r\nhost: site\r\n\r\n"


class Gate:
    """An application that answers a request when it is told to, and remembers who left."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(0)
        self.left = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        await self.turns.acquire()
        if (await receive())["type"] == "http.disconnect":
            self.left += 1
        await _application(scope, receive, send)


def _connect(transport: Transport, application: Any = _application) -> BoundedHttpProtocol:
    config = Config(application, ws=WebSocketProtocol, lifespan="off", log_config=None)
    config.load()
    protocol = BoundedHttpProtocol(config, ServerState(), {})
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return protocol


async def test_a_head_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.01)
    transport = Transport()
    protocol = _connect(transport)

    protocol.data_received(b"GET / HTTP/1.1\r\nhost: ")
    async with asyncio.timeout(30):
        await transport.closed.wait()

    protocol.connection_lost(None)


@pytest.mark.parametrize("rest", [b"G", b"GET / HTTP/1.1\r\nhost: ", b"\r\n"])
async def test_nor_may_a_later_head_take_for_ever(
    rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.01)
    transport = Transport()
    protocol = _connect(transport)
    protocol.data_received(REQUEST)
    await asyncio.gather(*protocol.tasks)

    protocol.data_received(rest)
    async with asyncio.timeout(30):
        await transport.closed.wait()

    protocol.connection_lost(None)


async def test_the_rest_of_a_refused_body_does_not_hold_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.01)
    transport = Transport()
    protocol = _connect(transport)
    protocol.data_received(b"POST / HTTP/1.1\r\nhost: site\r\ncontent-length: 10\r\n\r\nx")
    await asyncio.gather(*protocol.tasks)

    protocol.data_received(b"x")
    async with asyncio.timeout(30):
        await transport.closed.wait()

    protocol.connection_lost(None)


async def test_a_slow_head_does_not_cut_the_answer_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.0)
    transport = Transport()
    turn = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await turn.wait()
        await _application(scope, receive, send)

    protocol = _connect(transport, slow)
    protocol.data_received(REQUEST + b"G")

    for _ in range(3):  # the deadline passes
        await asyncio.sleep(0)
    was_closed = transport.closed.is_set()
    turn.set()
    async with asyncio.timeout(30):
        await transport.closed.wait()

    assert not was_closed
    assert b"204 No Content" in transport.written
    protocol.connection_lost(None)


@pytest.mark.parametrize("ends_with", ["a request", "a hang-up"])
async def test_nothing_is_left_to_fire_afterwards(ends_with: str) -> None:
    protocol = _connect(Transport())
    deadline = protocol._head_deadline
    assert deadline is not None

    if ends_with == "a request":
        protocol.data_received(b"GET / HTTP/1.1\r\nhost: site\r\n\r\n")
        await asyncio.gather(*protocol.tasks)
        protocol.connection_lost(None)
    else:
        protocol.connection_lost(None)

    assert deadline.cancelled()


async def test_nothing_is_read_while_requests_wait() -> None:
    transport = Transport()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        reading.append(transport.reading)
        await _application(scope, receive, send)

    reading: list[bool] = []
    protocol = _connect(transport, slow)

    protocol.data_received(REQUEST * 4)
    while protocol.tasks:
        await asyncio.gather(*protocol.tasks)

    assert reading == [False, False, False, True]
    assert transport.written.count(b"204 No Content") == 4
    protocol.connection_lost(None)


@pytest.mark.parametrize(("waiting", "closes"), [(PIPELINED_MAX, False), (PIPELINED_MAX + 1, True)])
async def test_so_many_requests_may_wait_and_no_more(waiting: int, closes: bool) -> None:
    transport = Transport()
    gate = Gate()
    protocol = _connect(transport, gate)

    protocol.data_received(REQUEST * (1 + waiting))

    assert transport.closed.is_set() is closes
    assert len(protocol.pipeline) == (0 if closes else waiting)
    assert transport.written == b""  # it would be taken for the answer to the first
    await _end(protocol, gate)


async def test_the_request_being_answered_hears_that_its_client_left() -> None:
    gate = Gate()
    protocol = _connect(Transport(), gate)

    protocol.data_received(REQUEST * 3)
    await _end(protocol, gate)

    assert gate.left == 1


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", ("Content-Length: 5",), 400),
        ("GET", ("Transfer-Encoding: chunked",), 400),
        ("GET", ("Content-Length: 0",), None),
        ("GET", ("X: 1",) * (HANDSHAKE_HEADERS_MAX - 5), None),
        ("GET", ("X: 1",) * (HANDSHAKE_HEADERS_MAX - 4), 431),
        ("GET", ("X\x7f: 1",), 400),
        ("POST", (), 405),
    ],
)
async def test_a_handshake_that_cannot_be_read_is_answered(
    method: str, headers: tuple[str, ...], status: int | None
) -> None:
    transport = Transport()
    gate = Gate()
    protocol = _connect(transport, gate)

    protocol.data_received(_handshake(method, headers))

    if status is None:
        assert transport.written == b""
    else:
        assert transport.written.startswith(b"HTTP/1.1 %d " % status)
    assert transport.closed.is_set() is (status is not None)
    await _drop(protocol)


async def test_no_handshake_is_taken_behind_a_request_without_an_answer() -> None:
    transport = Transport()
    gate = Gate()
    protocol = _connect(transport, gate)

    protocol.data_received(REQUEST + _handshake("GET", ()))

    assert transport.closed.is_set()
    assert transport.get_protocol() is protocol
    assert transport.written == b""  # it would be taken for the answer to the request
    await _end(protocol, gate)


def _handshake(method: str, headers: tuple[str, ...]) -> bytes:
    lines = (f"{method} / HTTP/1.1", "host: site", *HANDSHAKE, *headers, "", "")
    return "\r\n".join(lines).encode()


async def _drop(protocol: BoundedHttpProtocol) -> None:
    protocol.transport.get_protocol().connection_lost(None)
    for task in list(protocol.tasks):
        task.cancel()
    await asyncio.gather(*protocol.tasks, return_exceptions=True)
    protocol._stop_head_deadline()


async def _end(protocol: BoundedHttpProtocol, gate: Gate) -> None:
    await asyncio.sleep(0)  # the first request's task starts
    protocol.connection_lost(None)
    gate.turns.release()
    async with asyncio.timeout(30):
        await asyncio.gather(*protocol.tasks)
