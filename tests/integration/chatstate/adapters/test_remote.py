"""``RemoteStateAdapter`` and a server that says what each test needs, over a real socket.

What its methods promise is in the conformance suite, against a served site.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import pytest
from chat_sdk.errors import StateNotConnectedError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from chatstate.adapters import RemoteStateAdapter, link, socket_transport
from chatstate.adapters.transport import UnreachableError
from chatstate.protocol import messages
from chatstate.protocol.errors import BusyError, UnauthorizedError

WELCOME = {"namespace": "bot", "rights": ["read", "write"]}
DEADLINE_S = 60.0

Answer = Callable[[ServerConnection, list[Any]], Awaitable[None]]


async def answer_null(socket: ServerConnection, operations: list[Any]) -> None:
    await socket.send(json.dumps([{"id": each["id"], "value": None} for each in operations]))


async def stay_silent(socket: ServerConnection, operations: list[Any]) -> None:
    """As a server does that has stopped working."""


async def cut(socket: ServerConnection, operations: list[Any]) -> None:
    socket.transport.abort()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


class FakeServer:
    """Says welcome to the token ``token``, takes down every frame, and does ``answer`` for it."""

    def __init__(self) -> None:
        self.answer: Answer = answer_null
        self.frames: list[list[Any]] = []
        self.sockets: list[ServerConnection] = []
        self.heard = asyncio.Condition()
        self._server: Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._server = await serve(self._serve, "127.0.0.1", self._port)
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def has(self, count: int) -> None:
        """Wait until so many frames have come."""
        async with asyncio.timeout(DEADLINE_S), self.heard:
            await self.heard.wait_for(lambda: len(self.frames) >= count)

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        assert socket.request.path == "/api/chat/v1/socket"
        try:
            hello = json.loads(await socket.recv())
            if hello != {"token": "token"}:
                await socket.send(messages.failure(UnauthorizedError()))
                await socket.close(1008)
                return
            await socket.send(json.dumps(WELCOME))
            self.sockets.append(socket)
            async for frame in socket:
                operations = json.loads(frame)
                async with self.heard:
                    self.frames.append(operations)
                    self.heard.notify_all()
                await self.answer(socket, operations)
        except ConnectionClosed:
            pass


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    await server.start()
    yield server
    await server.stop()


@asynccontextmanager
async def connected(server: FakeServer, **options: Any) -> AsyncIterator[RemoteStateAdapter]:
    adapter = RemoteStateAdapter(server.url, "token", **options)
    async with asyncio.timeout(DEADLINE_S):
        await adapter.connect()
        try:
            yield adapter
        finally:
            await adapter.disconnect()


async def test_calls_of_one_turn_share_a_frame(server: FakeServer) -> None:
    async with connected(server) as adapter:
        await asyncio.gather(*(adapter.get(f"key {number}") for number in range(20)))

    assert [len(frame) for frame in server.frames] == [20]


async def test_calls_do_not_wait_for_each_others_answers(server: FakeServer) -> None:
    server.answer = stay_silent
    async with connected(server) as adapter:
        first = asyncio.ensure_future(adapter.get("first"))
        await server.has(1)
        second = asyncio.ensure_future(adapter.get("second"))
        await server.has(2)
        (socket,) = server.sockets
        await answer_null(socket, server.frames[1])
        await answer_null(socket, server.frames[0])

        assert await asyncio.gather(first, second) == [None, None]


async def test_what_was_cut_off_is_sent_again_with_its_request_id(server: FakeServer) -> None:
    async def cut_once(socket: ServerConnection, operations: list[Any]) -> None:
        server.answer = answer_null
        await cut(socket, operations)

    server.answer = cut_once
    async with connected(server) as adapter:
        assert await asyncio.gather(adapter.dequeue("a"), adapter.dequeue("b")) == [None, None]

    before, after = server.frames
    assert after == before
    assert len({operation["requestId"] for operation in after}) == 2


async def test_what_is_called_while_the_server_is_away_waits(server: FakeServer) -> None:
    async with connected(server) as adapter:
        await server.stop()
        waiting = asyncio.ensure_future(adapter.get("key"))
        await asyncio.sleep(0)
        await server.start()

        assert await waiting is None


async def test_what_is_refused_for_the_moment_is_asked_again(server: FakeServer) -> None:
    async def refuse_once(socket: ServerConnection, operations: list[Any]) -> None:
        server.answer = answer_null
        await socket.send(f"[{messages.refusal(operations[0]['id'], BusyError())}]")

    server.answer = refuse_once
    async with connected(server) as adapter:
        assert await adapter.dequeue("thread") is None

    before, after = server.frames
    assert after == before


async def test_a_frame_that_cannot_be_read_ends_the_link_not_the_call(server: FakeServer) -> None:
    async def mumble_once(socket: ServerConnection, operations: list[Any]) -> None:
        server.answer = answer_null
        await socket.send("mumble")

    server.answer = mumble_once
    async with connected(server) as adapter:
        assert await adapter.get("key") is None
    assert len(server.sockets) == 2


async def test_connect_can_be_called_again_when_it_failed(server: FakeServer) -> None:
    adapter = RemoteStateAdapter(server.url, "token")
    await server.stop()
    with pytest.raises(UnreachableError, match="cannot connect to ws://127"):
        await adapter.connect()
    with pytest.raises(StateNotConnectedError):
        await adapter.get("key")

    await server.start()
    await adapter.connect()
    assert await adapter.get("key") is None
    await adapter.disconnect()


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    async with asyncio.timeout(DEADLINE_S):
        listener = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        adapter = RemoteStateAdapter(f"ws://127.0.0.1:{port}", "token", connect_timeout_s=0.05)

        with pytest.raises(UnreachableError, match="no answer in time"):
            await adapter.connect()
        listener.close()


async def test_a_host_that_can_have_no_address_is_not_waited_for() -> None:
    adapter = RemoteStateAdapter(f"http://{'a' * 64}.example", "token")

    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(UnreachableError, match="cannot connect to ws://aaa"):
            await adapter.connect()


async def test_a_fault_of_ours_is_told_to_whoever_waits(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(url: str, token: str, *, timeout_s: float) -> NoReturn:
        raise LookupError("a fault")

    adapter = RemoteStateAdapter(server.url, "token")
    with monkeypatch.context() as patch:
        patch.setattr("chatstate.adapters.socket_transport.open_link", fail)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(LookupError, match="a fault"):
                await adapter.connect()

    await adapter.connect()  # with a new try
    assert await adapter.get("key") is None
    await adapter.disconnect()


async def test_a_fault_of_ours_is_no_lost_connection(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: bytes) -> NoReturn:
        raise LookupError("a fault")

    adapter = RemoteStateAdapter(server.url, "token")
    await adapter.connect()
    monkeypatch.setattr("chatstate.adapters.frames.read", fail)

    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(LookupError, match="a fault"):
            await adapter.get("key")
    await adapter.disconnect()


async def test_an_unknown_token_is_final(server: FakeServer) -> None:
    adapter = RemoteStateAdapter(server.url, "wrong")

    with pytest.raises(UnauthorizedError):
        await adapter.connect()


async def test_a_token_that_was_revoked_ends_all_calls(server: FakeServer) -> None:
    async def revoke(socket: ServerConnection, operations: list[Any]) -> None:
        server.answer = answer_null
        await socket.send(messages.failure(UnauthorizedError()))
        await socket.close(1008)

    server.answer = revoke
    async with connected(server) as adapter:
        for _ in range(2):
            with pytest.raises(UnauthorizedError):
                await adapter.get("key")

        await adapter.connect()  # with a new try
        assert await adapter.get("key") is None
    assert len(server.sockets) == 2


async def test_calls_to_connect_share_an_attempt(server: FakeServer) -> None:
    async with connected(server) as adapter:
        await asyncio.gather(*(adapter.connect() for _ in range(5)))
        assert await adapter.get("key") is None

    assert len(server.sockets) == 1


async def test_who_connects_while_another_disconnects_hears_of_it() -> None:
    async with asyncio.timeout(DEADLINE_S):
        listener = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        adapter = RemoteStateAdapter(f"ws://127.0.0.1:{port}", "token")
        connecting = asyncio.ensure_future(adapter.connect())
        await asyncio.sleep(0)

        await adapter.disconnect()

        with pytest.raises(StateNotConnectedError):
            await connecting
        listener.close()


async def test_disconnect_waits_for_the_answers_that_are_due(server: FakeServer) -> None:
    server.answer = stay_silent
    async with connected(server) as adapter:
        waiting = asyncio.ensure_future(adapter.get("key"))
        await server.has(1)
        leaving = asyncio.ensure_future(adapter.disconnect())
        await asyncio.sleep(0)
        await answer_null(server.sockets[0], server.frames[0])
        await leaving

        assert await waiting is None


async def test_disconnect_waits_no_longer_than_that(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_transport, "_DRAIN_S", 0.01)
    server.answer = stay_silent
    async with connected(server) as adapter:
        waiting = asyncio.ensure_future(adapter.get("key"))
        await server.has(1)
        await adapter.disconnect()

        with pytest.raises(StateNotConnectedError):
            await waiting


async def test_a_quiet_link_says_that_it_is_there(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "QUIET_S", 0.0)
    monkeypatch.setattr(link, "QUIET_WHILE_WAITING_S", 0.01)
    async with connected(server):
        await server.has(3)

    assert server.frames[:3] == [[], [], []]
    assert len(server.sockets) == 1


async def test_a_link_without_a_sign_of_life_is_replaced(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "QUIET_WHILE_WAITING_S", 0.01)
    monkeypatch.setattr(link, "DEAD_AFTER_S", 0.01)

    async def wake_up_on_the_next(socket: ServerConnection, operations: list[Any]) -> None:
        if socket is not server.sockets[0]:
            await answer_null(socket, operations)

    server.answer = wake_up_on_the_next
    async with connected(server) as adapter:
        assert await adapter.get("key") is None
    assert len(server.sockets) > 1


async def test_what_nobody_waits_for_any_more_is_not_sent(server: FakeServer) -> None:
    async with connected(server) as adapter:
        await server.stop()
        given_up = asyncio.ensure_future(adapter.acquire_lock("thread", 30_000))
        await asyncio.sleep(0)
        given_up.cancel()
        await server.start()
        assert await adapter.get("key") is None

    assert [operation["op"] for frame in server.frames for operation in frame] == ["get"]


def test_it_can_be_connected_again_in_another_event_loop() -> None:
    adapter: RemoteStateAdapter | None = None

    async def use() -> None:
        nonlocal adapter
        server = FakeServer()
        await server.start()
        if adapter is None:
            adapter = RemoteStateAdapter(server.url, "token")
        else:
            with pytest.raises(StateNotConnectedError):
                await adapter.get("key")
            await server.stop()
            server._port = first_port
            await server.start()
        await adapter.connect()
        assert await adapter.get("key") is None
        ports.append(server._port)
        await server.stop()

    ports: list[int] = []
    asyncio.run(use())
    (first_port,) = ports
    asyncio.run(use())
    assert ports == [first_port, first_port]
