"""Threads that are left behind when the process ends."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest

from groundwork.daemon_threads import DaemonThreads
from tests.processes import wait_until

DEADLINE_S = 30.0

HANGING = """
import threading
from groundwork.daemon_threads import DaemonThreads

began = threading.Event()
DaemonThreads(1, name="test").submit(lambda: began.set() or threading.Event().wait())
began.wait()
print("the end")
"""


def test_a_call_that_hangs_does_not_keep_the_process_from_ending() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, timeout=DEADLINE_S, check=True
    )

    assert ended.stdout == b"the end\n"


def test_calls_wait_for_a_thread_and_each_gets_its_outcome() -> None:
    threads = DaemonThreads(2, name="test")
    gate = threading.Event()
    waiting = [threads.submit(gate.wait, DEADLINE_S) for _ in range(2)]
    later = threads.submit(divmod, 7, 2)
    broken: Future[object] = threads.submit(divmod, 1, 0)

    assert not later.done()
    gate.set()

    assert [future.result(DEADLINE_S) for future in waiting] == [True, True]
    assert later.result(DEADLINE_S) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        broken.result(DEADLINE_S)


def test_an_idle_thread_is_used_again() -> None:
    threads = DaemonThreads(8, name="once")

    used = {threads.submit(threading.get_ident).result(DEADLINE_S) for _ in range(50)}

    # a thread may be asked again before it is seen to be idle
    assert len(used) <= 8


def test_a_call_that_was_given_up_is_not_made() -> None:
    threads = DaemonThreads(1, name="test")
    gate = threading.Event()
    threads.submit(gate.wait, DEADLINE_S)
    made: list[int] = []

    given_up = threads.submit(made.append, 1)
    assert given_up.cancel()
    gate.set()
    threads.submit(made.append, 2).result(DEADLINE_S)

    assert made == [2]


def named(prefix: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(prefix)]


def test_one_thread_more_makes_the_calls_that_wait_and_one_goes_in_the_end() -> None:
    threads = DaemonThreads(1, name="more")
    gate = threading.Event()
    kept = threads.submit(lambda: gate.wait(DEADLINE_S) and threads.drop_one())
    waiting = threads.submit(threading.current_thread)

    threads.add_one()

    another = waiting.result(DEADLINE_S)
    gate.set()
    kept.result(DEADLINE_S)
    wait_until(lambda: len(named("more-")) == 1, what="an end of the thread too many")
    assert threads.submit(threading.current_thread).result(DEADLINE_S) is another


async def test_event_loops_take_them_for_an_executor() -> None:
    loop = asyncio.get_running_loop()

    assert await loop.run_in_executor(DaemonThreads(1, name="test"), sum, (1, 2)) == 3
