"""What the two adapters have in common, on a transport that answers as it is told."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from copy import copy
from typing import Any

import pytest
from chat_sdk.errors import StateNotConnectedError
from chat_sdk.types import Lock, StateAdapter

from chatstate.adapters import adapter as module
from chatstate.adapters.adapter import EXTEND_TIMEOUT_S, RequestIds, TransportStateAdapter
from chatstate.adapters.background import Background
from chatstate.adapters.transport import NoAnswerError, Reply, Told
from chatstate.protocol.errors import ChatstateError, InvalidError
from chatstate.protocol.operations import Operation, ReleaseLock

NOW_MS = 1_000_000
LOCK = Lock(thread_id="thread", token="token", expires_at=NOW_MS)
ENTRY = {"message": {"number": 1}, "enqueuedAt": 1, "expiresAt": 2}

CALLS: dict[str, Callable[[StateAdapter], Awaitable[Any]]] = {
    "subscribe": lambda state: state.subscribe("thread"),
    "unsubscribe": lambda state: state.unsubscribe("thread"),
    "is_subscribed": lambda state: state.is_subscribed("thread"),
    "acquire_lock": lambda state: state.acquire_lock("thread", 1),
    "acquire_fenced_lock": lambda state: state.acquire_fenced_lock("thread", 1),
    "extend_lock": lambda state: state.extend_lock(LOCK, 1),
    "release_lock": lambda state: state.release_lock(LOCK),
    "force_release_lock": lambda state: state.force_release_lock("thread"),
    "get": lambda state: state.get("key"),
    "set": lambda state: state.set("key", 1),
    "set_if_not_exists": lambda state: state.set_if_not_exists("key", 1),
    "delete": lambda state: state.delete("key"),
    "append_to_list": lambda state: state.append_to_list("key", 1),
    "get_list": lambda state: state.get_list("key"),
    "enqueue": lambda state: state.enqueue("thread", ENTRY, 1),  # type: ignore[arg-type]
    "dequeue": lambda state: state.dequeue("thread"),
    "queue_depth": lambda state: state.queue_depth("thread"),
}


class Script:
    """A transport: takes down what it is asked, and answers from a list."""

    def __init__(self, *answers: Reply | ChatstateError) -> None:
        self.is_open = True
        self.asked: list[Operation] = []
        self.timeouts_s: list[float | None] = []
        self._answers = list(answers)
        self._background = Background()

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def call(self, operation: Operation, *, timeout_s: float | None = None) -> Reply:
        self.asked.append(operation)
        self.timeouts_s.append(timeout_s)
        answer = self._answers.pop(0)
        if isinstance(answer, ChatstateError):
            raise answer
        return answer

    def begin(self, operation: Operation, told: Told) -> None:
        self._background.call(self.call(operation), told)


def answer(text: str, *, sent_at_ms: int = NOW_MS) -> Reply:
    return Reply(text, sent_at_ms)


def make(script: Script, **options: Any) -> TransportStateAdapter:
    return TransportStateAdapter(script, now_ms=lambda: NOW_MS, **options)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_nothing_works_before_connect_and_after_disconnect(
    call: Callable[[StateAdapter], Awaitable[Any]],
) -> None:
    adapter = make(Script())
    await adapter.disconnect()

    with pytest.raises(StateNotConnectedError, match="not connected"):
        await call(adapter)


async def test_a_lock_ends_by_the_clock_of_the_first_sending() -> None:
    script = Script(answer('{"token":"t","fence":1,"ttlMs":31}', sent_at_ms=NOW_MS - 5))

    lock = await make(script).acquire_lock("thread", 30.5)  # type: ignore[arg-type]

    assert lock == Lock(thread_id="thread", token="t", expires_at=NOW_MS - 5 + 31)


async def test_a_lock_that_came_too_late_is_taken_again() -> None:
    late = answer('{"token":"late","fence":1,"ttlMs":30}', sent_at_ms=NOW_MS - 30)
    script = Script(late, answer("null"))

    assert await make(script).acquire_lock("thread", 30) is None
    first, second = script.asked
    assert first.request_id != second.request_id


async def test_a_lock_without_time_is_given_as_it_is() -> None:
    script = Script(answer('{"token":"t","fence":1,"ttlMs":0}', sent_at_ms=NOW_MS - 30))

    lock = await make(script).acquire_lock("thread", 0)

    assert lock is not None


async def test_who_asks_for_the_fence_is_told() -> None:
    text = '{"token":"t","fence":7,"ttlMs":30}'
    late = answer(text.replace("7", "6"), sent_at_ms=NOW_MS - 30)
    adapter = make(Script(late, answer(text), answer("null")))

    fenced = await adapter.acquire_fenced_lock("thread", 30)

    assert fenced == (Lock(thread_id="thread", token="t", expires_at=NOW_MS + 30), 7)
    assert await adapter.acquire_fenced_lock("thread", 30) is None


async def test_what_must_not_be_done_twice_has_an_id_of_its_own() -> None:
    depth = '{"depth":1,"stranded":false}'
    texts = ["null", "true", "null", depth, "null"] * 2
    script = Script(*map(answer, texts))
    adapter = make(script)

    once = ["acquire_lock", "set_if_not_exists", "append_to_list", "enqueue", "dequeue"]
    for name in once * 2:
        await CALLS[name](adapter)

    assert all(operation.is_once for operation in script.asked)
    assert len({operation.request_id for operation in script.asked} - {None}) == 10


async def test_a_heartbeat_leaves_time_for_the_next() -> None:
    script = Script(answer("true"))

    await make(script).extend_lock(LOCK, 30_000)

    assert script.timeouts_s == [EXTEND_TIMEOUT_S]
    assert EXTEND_TIMEOUT_S < 10


async def test_a_release_that_fails_is_logged_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(NoAnswerError("releaseLock"))

    await make(script).release_lock(LOCK)

    assert "releaseLock got no answer in time" in caplog.text


async def test_a_release_returns_before_a_server_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Away(Script):
        async def call(self, operation: Operation, *, timeout_s: float | None = None) -> Reply:
            self.asked.append(operation)
            await back.wait()
            return answer('{"released":true,"stranded":true}')

    monkeypatch.setattr(module, "RELEASE_PATIENCE_S", 0.01)
    back = asyncio.Event()
    told: asyncio.Queue[str] = asyncio.Queue()
    script = Away()

    await make(script, on_stranded=told.put).release_lock(LOCK)
    assert [type(operation) for operation in script.asked] == [ReleaseLock]
    assert told.empty()
    back.set()

    assert await told.get() == "thread"


async def test_a_failed_extension_is_raised() -> None:
    with pytest.raises(NoAnswerError):
        await make(Script(NoAnswerError("extendLock"))).extend_lock(LOCK, 30_000)


async def test_shards_are_named_by_the_functions() -> None:
    script = Script(answer("true"), answer("null"), answer("null"))
    adapter = make(
        script,
        shard_key=lambda thread_id: f"of {thread_id}",
        key_shard=lambda key: "cache" if key == "key" else None,
    )

    await adapter.is_subscribed("thread")
    await adapter.get("key")
    await adapter.get("other")

    assert [operation.shard for operation in script.asked] == ["of thread", "cache", None]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda state: state.subscribe(None), "threadId"),
        (lambda state: state.get(7), "key"),
        (lambda state: state.set("key", 1, "5"), "ttlMs"),
        (lambda state: state.acquire_lock("thread", None), "ttlMs"),
        (lambda state: state.acquire_lock("thread", float("nan")), "ttlMs"),
        (lambda state: state.append_to_list("key", 1, max_length="5"), "maxLength"),
        (lambda state: state.enqueue("thread", ENTRY, 1.5), "maxSize"),
        (lambda state: state.release_lock(Lock("thread", None, 0)), "token"),
    ],
)
async def test_a_wrong_argument_is_named_and_not_sent(
    call: Callable[[Any], Awaitable[Any]], field: str
) -> None:
    script = Script()

    with pytest.raises(InvalidError) as refused:
        await call(make(script))

    assert refused.value.field == field
    assert script.asked == []


STRANDING = {
    "enqueue": '{"depth":1,"stranded":true}',
    "release_lock": '{"released":true,"stranded":true}',
}


@pytest.mark.parametrize("name", STRANDING)
async def test_a_stranded_queue_is_told(name: str) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    adapter = make(Script(answer(STRANDING[name])), on_stranded=told.put)

    await CALLS[name](adapter)

    assert await told.get() == "thread"


@pytest.mark.parametrize("name", STRANDING)
async def test_a_queue_that_is_not_stranded_is_not_told(name: str) -> None:
    told: list[str] = []
    text = STRANDING[name].replace('"stranded":true', '"stranded":false')
    adapter = make(Script(answer(text), answer(STRANDING[name])), on_stranded=told.append)

    await CALLS[name](adapter)
    assert told == []
    await CALLS[name](adapter)
    await asyncio.sleep(0)

    assert told == ["thread"]


async def test_a_handler_that_fails_harms_no_call(caplog: pytest.LogCaptureFixture) -> None:
    def fail(thread_id: str) -> None:
        raise ZeroDivisionError

    adapter = make(Script(answer(STRANDING["enqueue"])), on_stranded=fail)

    with caplog.at_level(logging.ERROR):
        assert await CALLS["enqueue"](adapter) == 1
        await asyncio.sleep(0)

    assert "on_stranded failed for 'thread'" in caplog.text


def test_request_ids_are_new_in_the_child_of_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = RequestIds()
    given = [ids.new(), ids.new()]

    monkeypatch.setattr(os, "getpid", lambda: -1)
    given_by_child = [copy(ids).new(), RequestIds().new()]

    assert len({*given, *given_by_child, ids.new()}) == 5
