"""Servers that answer nonsense: a clear error, soon, and nothing kept without bound."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from itertools import count
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from groundwork.backoff import Backoff
from livesync.client import (
    AccessRefusedError,
    AsyncClient,
    BackendIdMismatchError,
    ClosedError,
    Cursor,
    InDoubtError,
    LivesyncError,
    RemoteError,
    UnreachableError,
    WrongAnswerError,
    pacer,
)
from livesync.client.calls import MAX_MESSAGE_BYTES
from livesync.protocol import rpc
from livesync.protocol.errors import LimitError
from livesync.protocol.pages import encode_event, encode_page
from tests.clients import DEADLINE_S, until
from tests.factories import make_event
from tests.processes import LOOPBACK

BACKEND = "V1StGXR8_Z5jdHi6B-myT"
HERE = Cursor(BACKEND, 0)
SOON_S = 0.3
"""For what never comes; on a slow machine what does come may take longer."""

Answer = Callable[[str], list[str]]
"""From the id of a request to the messages that answer it."""


def page(*numbers: int, backend_id: str = BACKEND) -> str:
    events = [encode_event(make_event(number), "2026-01-31T12:00:00.000Z") for number in numbers]
    return encode_page(events, remaining=0, backend_id=backend_id)


@asynccontextmanager
async def websocket_server(
    answer: Answer, *, pongs: bool = True, interrupts: list[str] | None = None
) -> AsyncIterator[str]:
    async def handle(socket: ServerConnection) -> None:
        try:
            async for frame in socket:
                message = json.loads(frame)
                if message["_tag"] == "Ping" and pongs:
                    await socket.send(rpc.PONG)
                if message["_tag"] == "Interrupt" and interrupts is not None:
                    interrupts.append(message["requestId"])
                if message["_tag"] == "Request":
                    for reply in answer(message["id"]):
                        await socket.send(reply)
        except ConnectionClosed:
            return

    async with serve(handle, LOOPBACK, 0, compression=None) as server:
        (listening,) = server.sockets
        yield f"ws://{LOOPBACK}:{listening.getsockname()[1]}"


@asynccontextmanager
async def raw_server(answer: Callable[[str], bytes]) -> AsyncIterator[str]:
    """Answers each HTTP request with these bytes, whatever they are, and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        body = json.loads(await reader.readexactly(length) or "{}")
        try:
            writer.write(answer(body.get("id", "")))
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except OSError:
            return  # the client has heard enough

    async with await asyncio.start_server(handle, LOOPBACK, 0) as server:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"


def http(body: str, *, status: str = "200 OK") -> bytes:
    data = body.encode()
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[AsyncClient]:
    async with (
        asyncio.timeout(DEADLINE_S),
        AsyncClient("notes", url, **{"timeout_s": DEADLINE_S} | options) as made,
    ):
        yield made


NONSENSE = {
    "no JSON": lambda _: ["nonsense"],
    "no answer": lambda _: ['{"_tag":"Hello"}'],
    "an array": lambda i: [f"[{rpc.exit_success(i)}]"],
    "no pages": lambda i: [rpc.chunk(i, '{"batch":7}')],
    "a page without events": lambda i: [rpc.chunk(i, page().replace("[]", "null"))],
    "an event without a name": lambda i: [rpc.chunk(i, page(1).replace('"name"', '"nom"'))],
    "a gap": lambda i: [rpc.chunk(i, page(2))],
    "an end without a page": lambda i: [rpc.exit_success(i)],
    "an end without a cause": lambda i: [
        f'{{"_tag":"Exit","requestId":"{i}","exit":{{"_tag":"Failure"}}}}'
    ],
}
OVERSIZED = '"' + "x" * (MAX_MESSAGE_BYTES + 1) + '"'


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_over_a_websocket_is_a_wrong_answer(answer: Answer) -> None:
    async with websocket_server(answer) as url, client(url) as made:
        with pytest.raises(WrongAnswerError):
            await made.pull(HERE)
        with pytest.raises(WrongAnswerError):
            await anext(made.live(HERE))


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_over_http_is_a_wrong_answer(answer: Answer) -> None:
    async with (
        raw_server(lambda i: http(f"[{','.join(answer(i))}]")) as host,
        client(f"http://{host}") as made,
    ):
        with pytest.raises(WrongAnswerError):
            await made.pull(HERE)
        with pytest.raises(WrongAnswerError):
            await anext(made.live(HERE))


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_an_oversized_answer_is_not_kept(scheme: str) -> None:
    async with (
        websocket_server(lambda _: [OVERSIZED]) as websocket_url,
        raw_server(lambda _: http(f"[{OVERSIZED}]")) as host,
        client(websocket_url if scheme == "ws" else f"http://{host}") as made,
    ):
        with pytest.raises(WrongAnswerError, match="more than 16777216 bytes"):
            await made.pull(HERE)


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000,
        http("nonsense"),
        http(""),
        http("{}"),
        http("[]"),
    ],
)
async def test_what_is_no_answer_over_http(answer: bytes) -> None:
    async with raw_server(lambda _: answer) as host, client(f"http://{host}") as made:
        with pytest.raises(WrongAnswerError):
            await made.pull(HERE)
        with pytest.raises(InDoubtError):
            await made.push([("a",)], after=HERE)


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_nobody_and_silence_are_unreachable(scheme: str) -> None:
    async with raw_server(lambda _: b"") as host:
        pass

    async with client(f"{scheme}://{host}", timeout_s=SOON_S) as made:
        with pytest.raises(UnreachableError, match="cannot connect"):
            await made.pull(HERE)
        with pytest.raises(UnreachableError, match="cannot connect"):
            await made.push([("a",)], after=HERE)


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_server_that_hangs_up_is_tried_again_until_the_time_is_up(scheme: str) -> None:
    async with (
        raw_server(lambda _: b"") as host,
        client(f"{scheme}://{host}", timeout_s=SOON_S) as made,
    ):
        with pytest.raises(UnreachableError):
            await made.pull(HERE)


@pytest.mark.parametrize("scheme", ["ws", "http"])
@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "404 Not Found", "302 X"])
async def test_a_refusal_is_told_at_once(scheme: str, status: str) -> None:
    answer = http("Invalid auth token", status=status)

    async with raw_server(lambda _: answer) as host, client(f"{scheme}://{host}") as made:
        for call in (made.pull(HERE), made.push([("a",)], after=HERE), anext(made.live())):
            with pytest.raises(AccessRefusedError, match="Invalid auth token") as refused:
                await call
            assert refused.value.status == int(status[:3])


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_client_is_not_led_elsewhere(scheme: str) -> None:
    asked: list[str] = []

    def answer(request_id: str) -> list[str]:
        asked.append(request_id)
        return [rpc.exit_success(request_id)]

    async with websocket_server(answer) as elsewhere:
        redirect = http("", status=f"302 Found\r\nLocation: {elsewhere}/?storeId=notes")
        async with raw_server(lambda _: redirect) as host, client(f"{scheme}://{host}") as made:
            with pytest.raises(AccessRefusedError) as refused:
                await made.pull(HERE)

    assert refused.value.status == 302
    assert asked == []


@pytest.mark.parametrize("scheme", ["ws", "http"])
@pytest.mark.parametrize("status", ["500 X", "503 X", "429 X", "408 X"])
async def test_a_failing_server_is_tried_again(scheme: str, status: str) -> None:
    asked: list[str] = []

    def answer(request_id: str) -> bytes:
        asked.append(request_id)
        return http("later", status=status)

    async with raw_server(answer) as host, client(f"{scheme}://{host}") as made:
        pulling = asyncio.create_task(made.pull(HERE))
        await until(lambda: len(asked) > 1)
        pulling.cancel()
        await asyncio.wait([pulling])

    async with (
        raw_server(answer) as host,
        client(f"{scheme}://{host}", timeout_s=3 * SOON_S) as made,
    ):
        with pytest.raises(UnreachableError, match=status[:3]):
            await made.pull(HERE)


async def test_answers_to_other_requests_are_no_answers() -> None:
    def answer(request_id: str) -> list[str]:
        return [rpc.chunk("9999999", page(1)), rpc.exit_success("9999999")]

    async with websocket_server(answer) as url, client(url, timeout_s=SOON_S) as made:
        with pytest.raises(UnreachableError, match="no answer"):
            await made.pull(HERE)
    async with (
        raw_server(lambda i: http(f"[{','.join(answer(i))}]")) as host,
        client(f"http://{host}") as made,
    ):
        with pytest.raises(WrongAnswerError, match="not asked"):
            await made.pull(HERE)


async def test_a_push_without_an_answer_is_in_doubt() -> None:
    async with websocket_server(lambda _: []) as url, client(url, timeout_s=SOON_S) as made:
        with pytest.raises(InDoubtError):
            await made.push([("a",)], after=HERE)


async def test_a_refused_push_says_why() -> None:
    def answer(request_id: str) -> list[str]:
        return [rpc.exit_fail(request_id, LimitError("not so fast"))]

    async with websocket_server(answer) as url, client(url) as made:
        with pytest.raises(RemoteError, match="LimitError: not so fast"):
            await made.push([("a",)], after=HERE)


async def test_a_defect_is_no_answer_to_rely_on() -> None:
    async with (
        websocket_server(lambda _: [rpc.defect("?")]) as url,
        client(url, timeout_s=3 * SOON_S) as made,
    ):
        with pytest.raises(InDoubtError, match="could not read"):
            await made.push([("a",)], after=HERE)
        with pytest.raises(UnreachableError, match="could not read"):
            await made.pull(HERE)


async def test_a_server_that_gives_no_sign_of_life_is_left() -> None:
    asked = count()

    def answer(request_id: str) -> list[str]:
        return [rpc.chunk(request_id, page(next(asked) + 1))]

    async with (
        websocket_server(answer, pongs=False) as url,
        client(url, ping_interval_s=0.02) as made,
    ):
        live = made.live(HERE)

        # the second page comes on another connection: the first one has gone silent
        assert [(await anext(live)).seq_num for _ in range(2)] == [1, 2]


async def test_a_history_that_changes_under_a_live_pull_is_an_error() -> None:
    def answer(request_id: str) -> list[str]:
        return [rpc.chunk(request_id, page(1)), rpc.chunk(request_id, page(2, backend_id="x"))]

    async with websocket_server(answer) as url, client(url) as made:
        live = made.live(HERE)
        await anext(live)
        with pytest.raises(BackendIdMismatchError):
            await anext(live)


async def test_batches_that_overtake_or_repeat_others_do_no_harm() -> None:
    """As the published worker sends them when somebody pushes while it reads pages."""
    asked = count()

    def answer(request_id: str) -> list[str]:
        if next(asked) == 0:
            return [rpc.chunk(request_id, page(*numbers)) for numbers in ([1, 2], [5], [3, 4])]
        return [rpc.chunk(request_id, page(*numbers)) for numbers in ([3, 4], [3, 4, 5], [6])]

    async with websocket_server(answer) as url, client(url) as made:
        live = made.live(HERE)

        assert [(await anext(live)).seq_num for _ in range(6)] == [1, 2, 3, 4, 5, 6]


async def test_a_flood_that_nobody_takes_is_not_kept() -> None:
    interrupts: list[str] = []

    def answer(request_id: str) -> list[str]:
        first = len(found) + 1
        return [rpc.chunk(request_id, page(number)) for number in range(first, first + 3_000)]

    found: list[int] = []
    async with (
        websocket_server(answer, interrupts=interrupts) as url,
        client(url, timeout_s=None) as made,
        aclosing(made.live(HERE)) as live,
    ):
        found.append((await anext(live)).seq_num)
        await until(lambda: bool(interrupts))
        while len(found) < 3_000:
            found.append((await anext(live)).seq_num)

    assert found == list(range(1, 3_001))


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_client_that_waits_for_its_server_can_be_closed(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacer, "RECONNECT", Backoff(first_s=3_600, most_s=3_600))
    async with raw_server(lambda _: b"") as host:
        pass

    async with client(f"{scheme}://{host}") as made:
        waiting = asyncio.ensure_future(anext(made.live(HERE)))
        await until(lambda: made._reader.pacer.last_reason is not None)
        await made.close()
        with pytest.raises(ClosedError):
            await waiting


async def test_a_client_that_waits_for_its_next_poll_can_be_closed() -> None:
    def answer(request_id: str) -> bytes:
        return http(f"[{rpc.chunk(request_id, page(1))},{rpc.exit_success(request_id)}]")

    async with (
        raw_server(answer) as host,
        client(f"http://{host}", poll_interval_s=3_600) as made,
    ):
        live = made.live(HERE)
        await anext(live)
        waiting = asyncio.ensure_future(anext(live))
        await asyncio.sleep(0)
        await made.close()
        with pytest.raises(ClosedError):
            await waiting


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_what_a_server_says_does_nothing_to_a_terminal(scheme: str) -> None:
    hostile = "no\x1b[2J\r\n\u202e"
    refusal = http(hostile, status="400 Bad Request")

    def answer(request_id: str) -> list[str]:
        return [rpc.exit_fail(request_id, LimitError(hostile))]

    async with (
        raw_server(lambda _: refusal) as refusing,
        websocket_server(answer) as failing,
        client(f"{scheme}://{refusing}") as refused,
        client(failing) as failed,
    ):
        for call in (refused.pull(HERE), failed.pull(HERE)):
            with pytest.raises(LivesyncError, match=r"no\\u001b") as raised:
                await call
            assert str(raised.value).isprintable()
