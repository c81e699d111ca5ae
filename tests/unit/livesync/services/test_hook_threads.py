"""Calls of hooks in threads that do not return, and how many threads they may keep."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from livesync.hooks import Context
from livesync.protocol.responses import PullResponse
from livesync.services.hook_threads import HookThreads, ThreadsHeldError
from tests.clients import until

LONG_S = 600.0


class Gate:
    """A hook that waits until it is let go."""

    def __init__(self) -> None:
        self.began = 0
        self._opened = threading.Event()

    def wait(self, *args: object) -> str:
        self.began += 1
        assert self._opened.wait(LONG_S)
        return "opened"

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


def about(store_id: str) -> Context:
    return Context(store_id=store_id, transport="ws", headers={})


async def give_up(call: "asyncio.Task[Any]") -> None:
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def hang(threads: HookThreads, gate: Gate, *args: Any) -> None:
    """Call the hook ``on_push``, which then keeps a thread."""
    began, kept = gate.began, threads.kept
    call = asyncio.create_task(threads.run("on_push", gate.wait, *args, max_s=0.0))
    await until(lambda: gate.began > began)
    await give_up(call)
    await until(lambda: threads.kept > kept)


async def call(threads: HookThreads, name: str, *args: Any) -> Any:
    return await threads.run(name, lambda *_: "called", *args, max_s=LONG_S)


async def test_another_thread_takes_the_place_of_one_that_is_kept(gate: Gate) -> None:
    threads = HookThreads(1)

    await hang(threads, gate)

    assert await call(threads, "on_pull") == "called"


async def test_who_waits_for_a_thread_gets_the_one_that_takes_the_place(gate: Gate) -> None:
    threads = HookThreads(1)
    hanging = asyncio.create_task(threads.run("on_push", gate.wait, max_s=0.0))
    await until(lambda: gate.began == 1)
    waiting = asyncio.create_task(call(threads, "on_pull"))
    await asyncio.sleep(0)

    hanging.cancel()

    assert await waiting == "called"


async def test_a_hook_that_hangs_gets_no_thread_for_the_calls_that_waited_behind(
    gate: Gate,
) -> None:
    threads = HookThreads(1)
    hanging = asyncio.create_task(threads.run("on_push", gate.wait, about("one"), max_s=0.0))
    await until(lambda: gate.began == 1)
    run = partial(threads.run, "on_push", gate.wait, about("one"), max_s=LONG_S)
    waiting = [asyncio.create_task(run()) for _ in range(3)]
    other = asyncio.create_task(call(threads, "on_pull"))
    await asyncio.sleep(0)

    await give_up(hanging)

    assert await other == "called"
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ThreadsHeldError] * 3
    assert (gate.began, threads.kept) == (1, 1)


async def test_a_call_that_was_given_up_before_it_began_is_not_made(gate: Gate) -> None:
    threads = HookThreads(1)
    running = asyncio.create_task(threads.run("on_push", gate.wait, max_s=LONG_S))
    await until(lambda: gate.began == 1)
    waiting = asyncio.create_task(threads.run("on_push", gate.wait, max_s=0.0))
    await asyncio.sleep(0)

    await give_up(waiting)
    gate.open()

    assert await running == "opened"
    assert await call(threads, "on_push") == "called"
    assert (gate.began, threads.kept) == (1, 0)


async def test_a_call_whose_caller_has_gone_counts_only_when_its_time_is_up(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    threads = HookThreads(2)
    early = asyncio.create_task(threads.run("on_push", gate.wait, max_s=LONG_S))
    await until(lambda: gate.began == 1)

    await give_up(early)
    await hang(threads, gate)

    assert threads.kept == 1
    assert "a hook of the site hangs: on_push; 1 threads are kept by hooks" in caplog.text


async def test_a_hook_may_keep_so_many_threads_and_is_not_called_then(gate: Gate) -> None:
    threads = HookThreads(2)
    for store_id in ("one", "two"):
        await hang(threads, gate, about(store_id))

    with pytest.raises(ThreadsHeldError, match="2 calls have not returned"):
        await call(threads, "on_push", about("three"))
    assert await call(threads, "on_pull", about("one")) == "called"


async def test_a_store_may_keep_a_quarter_of_them(gate: Gate) -> None:
    threads = HookThreads(8)
    for _ in range(2):
        await hang(threads, gate, about("one"))

    with pytest.raises(ThreadsHeldError, match="2 calls for this store have not returned"):
        await call(threads, "on_push", about("one"))
    with pytest.raises(ThreadsHeldError, match="for this store"):
        await call(threads, "on_push", PullResponse("one", "", []), None)
    assert await call(threads, "on_push", about("two")) == "called"
    assert await call(threads, "on_push") == "called"


async def test_a_call_that_returns_after_all_gives_its_thread_back(gate: Gate) -> None:
    threads = HookThreads(1)
    await hang(threads, gate, about("one"))

    gate.open()
    await until(lambda: threads.kept == 0)

    assert await call(threads, "on_push", about("one")) == "called"
