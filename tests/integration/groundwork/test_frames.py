"""A consumer that carries frames: what it accepts, how it sends, closes, ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from groundwork import frames
from groundwork.frames import FrameConsumer, get_registry
from tests.clients import ClosedError, RefusedError, Socket, until


class Echo(FrameConsumer):
    """Sends every frame back; some words are orders."""

    max_frame_bytes = 1_000
    opened: "list[Echo]" = []

    async def open(self) -> bool:
        if self.scope["query_string"] == b"no":
            await self.refuse(418, "no")
            return False
        await self.accept()
        self.opened.append(self)
        self.ended: list[str] = []
        self.is_busy = False
        return True

    def receive_frame(self, text: str) -> None:
        order, _, rest = text.partition(" ")
        match order:
            case "fail":
                raise ValueError(rest)
            case "close":
                self.send_now('"last"')
                self.close(int(rest))
                self.send_now('"too late"')
            case "work":
                self.spawn(self.work())
            case "flood":
                for number in range(int(rest)):
                    self.send_now(str(number))
            case _:
                self.send_now(text)

    async def work(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append("work")

    def closed(self) -> None:
        self.ended.append("closed")

    def drain(self, *, is_last_call: bool) -> None:
        if is_last_call or not self.is_busy:
            super().drain(is_last_call=is_last_call)


application = Echo.as_asgi()


@pytest.fixture(autouse=True)
async def registry() -> AsyncIterator[Any]:
    Echo.opened.clear()
    yield get_registry()
    assert len(get_registry()) == 0
    await get_registry().stop()


async def code_of_close(socket: Socket) -> int:
    """Pass over what comes before the close."""
    try:
        while True:
            await socket.receive()
    except ClosedError as closed:
        return closed.code


async def test_frames_are_answered_in_their_order() -> None:
    async with Socket(application) as socket:
        for number in range(5):
            socket.send_text(str(number))

        assert [await socket.receive() for _ in range(5)] == [0, 1, 2, 3, 4]


async def test_a_binary_frame_is_text() -> None:
    async with Socket(application) as socket:
        socket.send_bytes('"é"'.encode())

        assert await socket.receive() == "é"


@pytest.mark.parametrize("data", [b"\xff", b"\xc0\x80", b"\xed\xa0\xbd"])
async def test_a_binary_frame_that_is_no_utf_8_closes_the_socket(data: bytes) -> None:
    async with Socket(application) as socket:
        socket.send_bytes(data)

        assert await code_of_close(socket) == frames.BAD_DATA


async def test_a_frame_may_be_as_large_as_the_limit_and_no_larger() -> None:
    async with Socket(application) as socket:
        socket.send_text('"' + "x" * 998 + '"')
        assert len(await socket.receive()) == 998

        socket.send_text('"' + "x" * 999 + '"')
        assert await code_of_close(socket) == frames.TOO_BIG


async def test_an_error_in_the_consumer_is_logged_and_closes_the_socket(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Socket(application) as socket:
        socket.send_text("fail secretly")

        assert await code_of_close(socket) == frames.INTERNAL
    assert "a frame could not be handled" in caplog.text


async def test_a_refusal_has_a_status_and_a_body() -> None:
    with pytest.raises(RefusedError) as refusal:
        await Socket(application, b"no").open()

    assert (refusal.value.status, refusal.value.body) == (418, "no")


async def test_where_the_server_cannot_say_more_a_refusal_is_a_plain_one() -> None:
    with pytest.raises(RefusedError) as refusal:
        await Socket(application, b"no", extensions={}).open()

    assert (refusal.value.status, refusal.value.body) == (403, "")


async def test_a_close_goes_out_behind_what_was_sent_before_and_nothing_behind_it() -> None:
    async with Socket(application) as socket:
        socket.send_text("close 1012")

        assert await socket.receive() == "last"
        assert await code_of_close(socket) == 1012
        assert socket.is_silent


@pytest.mark.parametrize("code", [1008, 1012, 1013])
async def test_a_server_that_refuses_registered_codes_gets_private_ones(code: int) -> None:
    async with Socket(application, extensions={}) as socket:
        socket.send_text(f"close {code}")

        assert await code_of_close(socket) == code + 3_000


async def test_closing_ends_the_work_of_the_socket() -> None:
    async with Socket(application) as socket:
        socket.send_text("work")
        socket.send_text('"begun"')
        await socket.receive()
        (consumer,) = Echo.opened

        socket.send_text("close 1012")
        await code_of_close(socket)

    assert sorted(consumer.ended) == ["closed", "work"]
    assert consumer.is_closed


async def test_hanging_up_ends_the_work_of_the_socket() -> None:
    async with Socket(application) as socket:
        socket.send_text("work")
        socket.send_text('"begun"')
        await socket.receive()

    (consumer,) = Echo.opened
    await asyncio.sleep(0)  # a cancelled task ends in the next turn of the loop
    assert sorted(consumer.ended) == ["closed", "work"]


async def test_frames_wait_in_order_for_a_server_that_holds_them_back() -> None:
    async with Socket(application) as socket:
        (consumer,) = Echo.opened
        socket.takes_frames.clear()
        socket.send_text("flood 50")
        await until(lambda: not consumer.is_writable)
        assert socket.is_silent

        socket.takes_frames.set()

        assert [await socket.receive() for _ in range(50)] == list(range(50))
        await until(lambda: consumer.is_writable)
        socket.send_text('"again"')
        assert await socket.receive() == "again"


async def test_a_close_waits_behind_the_frames_that_wait() -> None:
    async with Socket(application) as socket:
        (consumer,) = Echo.opened
        socket.takes_frames.clear()
        socket.send_text("flood 3")
        socket.send_text("close 1012")
        await until(lambda: consumer.is_closed)

        socket.takes_frames.set()

        assert [await socket.receive() for _ in range(4)] == [0, 1, 2, "last"]
        assert await code_of_close(socket) == 1012


async def test_a_frame_still_gets_through_when_only_the_first_one_was_held_back() -> None:
    async with Socket(application) as socket:
        (consumer,) = Echo.opened
        for round_number in range(20):
            socket.takes_frames.clear()
            socket.send_text(f"{round_number}")
            await until(lambda: not consumer.is_writable)
            socket.takes_frames.set()
            assert await socket.receive() == round_number


async def test_a_peer_that_sends_and_never_reads_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "MAX_WAITING_MESSAGES", 10)
    async with Socket(application) as socket:
        (consumer,) = Echo.opened
        socket.takes_frames.clear()

        socket.send_text("flood 20")

        await until(lambda: len(get_registry()) == 0)
    assert consumer.ended == ["closed"]


async def test_a_send_to_a_peer_that_has_gone_ends_nothing() -> None:
    sent: list[dict[str, Any]] = []
    to_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message["type"] == "websocket.send":
            raise ConnectionError("the peer has gone")

    serving = asyncio.create_task(application(scope_of_test(), to_application.get, send))
    for message in (
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "1"},
        {"type": "websocket.receive", "text": "2"},
        {"type": "websocket.disconnect", "code": 1006},
    ):
        to_application.put_nowait(message)

    await serving

    assert [message.get("text") for message in sent] == [None, "1", "2"]


async def test_a_server_whose_send_is_no_coroutine_is_awaited_like_any_other() -> None:
    sent: list[str] = []
    to_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def send(message: dict[str, Any]) -> "asyncio.Future[None]":
        async def take() -> None:
            await asyncio.sleep(0)
            sent.append(message.get("text", message["type"]))

        return asyncio.ensure_future(take())

    serving = asyncio.create_task(application(scope_of_test(), to_application.get, send))
    to_application.put_nowait({"type": "websocket.connect"})
    to_application.put_nowait({"type": "websocket.receive", "text": "flood 5"})
    await until(lambda: len(sent) == 6)
    to_application.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await serving

    assert sent == ["websocket.accept", "0", "1", "2", "3", "4"]


class DirectSocket:
    """The server's end of a socket: it hands texts over, and sends them, without a task."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.take: Callable[[str], None] | None = None
        self.is_busy = False
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.messages.put_nowait({"type": "websocket.connect"})

    def hand_texts_to(self, take: Callable[[str], None] | None) -> None:
        self.take = take

    def send_text(self, text: str) -> bool:
        if text == "unsendable":
            raise ValueError(text)
        if not self.is_busy:
            self.sent.append(text)
        return not self.is_busy

    async def receive(self) -> dict[str, Any]:
        return await self.messages.get()

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await until(lambda: not self.is_busy)
        self.sent.append(message)

    def hand_over(self, text: str) -> None:
        assert self.take is not None
        self.take(text)


@asynccontextmanager
async def served(socket: DirectSocket) -> AsyncIterator[Echo]:
    serving = asyncio.create_task(application(scope_of_test(), socket.receive, socket.send))
    await until(lambda: socket.take is not None)
    yield Echo.opened[-1]
    socket.messages.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await asyncio.wait({serving})
    assert socket.take is None


async def test_a_server_that_hands_texts_over_is_answered_without_a_turn_of_the_loop() -> None:
    socket = DirectSocket()
    async with served(socket) as consumer:
        opened_at = consumer.last_frame_at
        for number in range(3):
            socket.hand_over(str(number))

        assert socket.sent[1:] == ["0", "1", "2"]
        assert consumer.last_frame_at > opened_at


async def test_what_a_server_cannot_send_at_once_waits_in_its_order() -> None:
    socket = DirectSocket()
    async with served(socket) as consumer:
        socket.is_busy = True
        socket.hand_over("flood 2")
        assert not consumer.is_writable
        socket.is_busy = False
        socket.hand_over("now")
        await until(lambda: consumer.is_writable)
        socket.hand_over("direct again")

    sent = [item if isinstance(item, str) else item["text"] for item in socket.sent[1:]]
    assert sent == ["0", "1", "now", "direct again"]


async def test_what_is_handed_over_behind_the_close_is_dropped() -> None:
    socket = DirectSocket()
    async with served(socket):
        socket.hand_over("close 1012")
        socket.hand_over("too late")

    assert socket.sent[1:] == ['"last"', {"type": "websocket.close", "code": 4012}]


async def test_a_text_handed_over_that_the_consumer_fails_on_closes_the_socket() -> None:
    socket = DirectSocket()
    async with served(socket):
        socket.hand_over("fail secretly")

    assert socket.sent[1:] == [{"type": "websocket.close", "code": frames.INTERNAL + 3_000}]


async def test_a_socket_that_fails_to_send_is_given_up() -> None:
    socket = DirectSocket()
    async with served(socket) as consumer:
        socket.hand_over("unsendable")
        await until(lambda: len(get_registry()) == 0)

    assert consumer.is_closed


async def test_a_middleware_between_gets_to_see_every_message() -> None:
    socket = DirectSocket()
    seen: list[str] = []

    async def send(message: dict[str, Any]) -> None:
        seen.append(message["type"])
        await socket.send(message)

    serving = asyncio.create_task(application(scope_of_test(), socket.receive, send))
    socket.messages.put_nowait({"type": "websocket.receive", "text": "1"})
    await until(lambda: len(seen) == 2)

    assert socket.take is None
    socket.messages.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await serving
    assert seen == ["websocket.accept", "websocket.send"]


async def test_a_socket_without_a_frame_for_too_long_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "SWEEP_EVERY_S", 0.001)
    monkeypatch.setattr(Echo, "idle_timeout_s", 0.0)

    async with Socket(application) as socket:
        assert await code_of_close(socket) == frames.GOING_AWAY


async def test_any_frame_keeps_a_socket_open() -> None:
    async with Socket(application) as socket:
        (consumer,) = Echo.opened
        opened_at = consumer.last_frame_at
        socket.send_text("1")
        await socket.receive()

        assert consumer.last_frame_at > opened_at
        consumer.sweep(consumer.last_frame_at + consumer.idle_timeout_s)
        assert not consumer.is_closed
        consumer.sweep(consumer.last_frame_at + consumer.idle_timeout_s + 0.001)
        assert consumer.is_closed
        assert await code_of_close(socket) == frames.GOING_AWAY


async def test_draining_closes_every_socket() -> None:
    async with Socket(application) as one, Socket(application) as other:
        draining = asyncio.create_task(get_registry().drain(20))

        assert [await code_of_close(socket) for socket in (one, other)] == [frames.RESTART] * 2
        await one.hang_up()
        await other.hang_up()
        await draining


async def test_draining_waits_for_a_busy_socket_until_its_time_is_up() -> None:
    async with Socket(application) as busy, Socket(application) as idle:
        Echo.opened[0].is_busy = True
        draining = asyncio.create_task(get_registry().drain(20))
        assert await code_of_close(idle) == frames.RESTART
        await idle.hang_up()
        assert not draining.done()
        assert busy.is_silent

        Echo.opened[0].is_busy = False
        assert await code_of_close(busy) == frames.RESTART
        await busy.hang_up()
        await draining


async def test_at_the_last_call_busy_sockets_are_closed_as_well() -> None:
    async with Socket(application) as busy:
        Echo.opened[0].is_busy = True

        await get_registry().drain(0)

        assert await code_of_close(busy) == frames.RESTART


def scope_of_test() -> dict[str, Any]:
    return {"type": "websocket", "query_string": b"", "extensions": {}}
