"""What arrives together commits together; outcomes in commit order.

One thread per process and database writes. Jobs that arrive while a commit is under way wait in its
queue and share the next transaction: on a busy server many jobs pay for one durable commit.
"""

import asyncio
import logging
import math
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from django.db import connections

from groundwork.connections import call_in_loop

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

logger = logging.getLogger(__name__)

_AGAIN_EVERY_S = 0.005


class OverloadError(Exception):
    """More is waiting to be stored than may wait; nothing was stored."""


class Writer(Generic[Job, Outcome]):
    """Commits jobs in the order in which they were handed in, many to a transaction.

    Args:
        commit: stores jobs in one transaction; gives each its outcome, or an exception that is
            that job's alone. When it raises, nothing was stored, unless ``final`` says otherwise.
        announce: called in the writer's thread with the jobs and outcomes of a commit, before any
            caller hears of it, and whatever has become of the callers.
        final: the exceptions of ``commit`` that are every job's outcome. Trying the jobs one by one
            is of no use after them, or would store some twice.
        key: jobs with one key are stored in their order; others may overtake them.
        again: the exceptions, given by ``commit`` to a job of its own, that pass by themselves. All
            jobs with its key that must not overtake it have to get one with it. They go along with
            the next groups until one of them has waited for ``again_for_s``, then fail together.
        max_group: most new jobs in one transaction, so that one caller's wait stays bounded.
        size: bytes that a job takes in memory, about; counted once, when it is handed in.
        max_group_bytes: most bytes of new jobs in one transaction, but for a job that is larger.
        max_pending_bytes: most bytes of jobs without an outcome; a job above that, unless it is
            the only one, gets ``overload()`` as its outcome at once.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Job]], Sequence[Outcome | Exception]],
        *,
        announce: Callable[[Sequence[Outcome]], None],
        final: tuple[type[Exception], ...],
        name: str,
        key: Callable[[Job], Hashable] = id,
        again: tuple[type[Exception], ...] = (),
        again_for_s: float = 2.0,
        max_group: int = 512,
        size: Callable[[Job], int] = lambda _: 0,
        max_group_bytes: int = 8 * 1024 * 1024,
        max_pending_bytes: int = 64 * 1024 * 1024,
        overload: Callable[[], Exception] = OverloadError,
    ) -> None:
        self._commit = commit
        self._announce = announce
        self._final = final
        self._name = name
        self._key = key
        self._again = again
        self._again_for_s = again_for_s
        self._max_group = max_group
        self._size = size
        self._max_group_bytes = max_group_bytes
        self._max_pending_bytes = max_pending_bytes
        self._overload = overload
        self._pending_bytes = 0
        self._next: _Waiting[Job, Outcome] | None = None
        self._queue: queue.SimpleQueue[_Waiting[Job, Outcome] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, job: Job) -> "asyncio.Future[Outcome]":
        """Hand in a job from a running event loop; the future is resolved after the commit."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if not self._take_on(job, partial(_settle, future)):
            future.set_exception(self._overload())
        return future

    def hand_in(self, job: Job, callback: "Callable[[Outcome | Exception], None]") -> None:
        """Hand in a job from a running event loop, which calls ``callback`` after the commit.

        That is a turn of the loop earlier than one who waits for a future hears of it.
        """
        if not self._take_on(job, callback):
            asyncio.get_running_loop().call_soon(callback, self._overload())

    def _take_on(self, job: Job, callback: "Callable[[Outcome | Exception], None]") -> bool:
        if self._thread is None or not self._thread.is_alive():
            self._start()
        size = self._size(job)
        if not self._reserve(size):
            return False
        self._queue.put(_Waiting(job, callback, asyncio.get_running_loop(), size))
        return True

    @property
    def pending_bytes(self) -> int:
        """About what the jobs take that have no outcome yet."""
        return self._pending_bytes

    def stop(self) -> None:
        """Commit what waits, close the thread's connections, end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _reserve(self, size: int) -> bool:
        with self._lock:
            if self._pending_bytes and self._pending_bytes + size > self._max_pending_bytes:
                return False
            self._pending_bytes += size
            return True

    def _release(self, answered: "list[_Waiting[Job, Outcome]]") -> None:
        with self._lock:
            for waiting in answered:
                self._pending_bytes -= waiting.size
                waiting.size = 0

    def _start(self) -> None:
        with self._lock:
            # not alive: it has ended without our doing, or this is the child of a fork
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        again: list[_Waiting[Job, Outcome]] = []
        stopping = False
        try:
            while again or not stopping:
                group = again
                if stopping:
                    time.sleep(_AGAIN_EVERY_S)  # nothing comes in any more that could be awaited
                else:
                    stopping = self._gather(group)
                again = self._write_safely(group) if group else []
        finally:
            connections.close_all()

    def _gather(self, group: "list[_Waiting[Job, Outcome]]") -> bool:
        """Add the jobs that wait, at least one unless some are to be tried again."""
        wait_s = _AGAIN_EVERY_S if group else None
        room, room_bytes = self._max_group, self._max_group_bytes
        while room > 0:
            try:
                waiting = self._take(wait_s)
            except queue.Empty:
                return False
            if waiting is None:
                return True
            if waiting.size > room_bytes and room < self._max_group:
                self._next = waiting
                return False
            group.append(waiting)
            room -= 1
            room_bytes -= waiting.size
            wait_s = 0
        return False

    def _take(self, wait_s: float | None) -> "_Waiting[Job, Outcome] | None":
        if self._next is None:
            return self._queue.get(timeout=wait_s)
        waiting, self._next = self._next, None
        return waiting

    def _write_safely(
        self, group: "list[_Waiting[Job, Outcome]]"
    ) -> "list[_Waiting[Job, Outcome]]":
        try:
            return self._write(group)
        except Exception as error:
            # a bug; what it left without an answer gets this one, and the thread goes on
            logger.exception("%s: writing a group failed", self._name)
            self._answer([(waiting, error) for waiting in group])
            return []

    def _write(self, group: "list[_Waiting[Job, Outcome]]") -> "list[_Waiting[Job, Outcome]]":
        """Commit, announce and answer; the jobs that are to be tried again."""
        outcomes = self._outcomes([waiting.job for waiting in group])
        done = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
        if done:
            self._announce_safely(done)
        again, answers = self._divide(list(zip(group, outcomes, strict=True)))
        self._answer(answers)
        return again

    def _divide(
        self, results: "list[_Result[Job, Outcome]]"
    ) -> "tuple[list[_Waiting[Job, Outcome]], list[_Result[Job, Outcome]]]":
        now = time.monotonic()
        again: list[_Waiting[Job, Outcome]] = []
        answers: list[_Result[Job, Outcome]] = []
        given_up: set[Hashable] = set()
        for waiting, outcome in results:
            if isinstance(outcome, self._again):
                # a job that may build on one that has failed must not be stored without it
                if waiting.first_tried_at + self._again_for_s < now:
                    given_up.add(self._key(waiting.job))
                if self._key(waiting.job) not in given_up:
                    waiting.first_tried_at = min(waiting.first_tried_at, now)
                    again.append(waiting)
                    continue
            answers.append((waiting, outcome))
        return again, answers

    def _answer(self, results: "list[_Result[Job, Outcome]]") -> None:
        self._release([waiting for waiting, _ in results])
        answers: defaultdict[asyncio.AbstractEventLoop, list[_Answer[Outcome]]] = defaultdict(list)
        for waiting, outcome in results:
            answers[waiting.loop].append((waiting.callback, outcome))
        for loop, answers_of_loop in answers.items():
            call_in_loop(loop, _resolve, answers_of_loop)

    def _outcomes(self, jobs: list[Job]) -> Sequence[Outcome | Exception]:
        try:
            return self._commit(jobs)
        except self._final as error:
            return [error] * len(jobs)
        except Exception as error:
            if len(jobs) == 1:
                logger.exception("%s: a job failed", self._name)
                return [error]
        # nothing was stored: one by one, so that the job at fault harms no other
        return self._one_by_one(jobs)

    def _one_by_one(self, jobs: list[Job]) -> list[Outcome | Exception]:
        outcomes: list[Outcome | Exception] = []
        again: dict[Hashable, Exception] = {}
        for job in jobs:
            key = self._key(job)
            outcome = again[key] if key in again else self._outcomes([job])[0]
            if isinstance(outcome, self._again):
                again[key] = outcome
            outcomes.append(outcome)
        return outcomes

    def _announce_safely(self, outcomes: Sequence[Outcome]) -> None:
        try:
            self._announce(outcomes)
        except Exception:
            # what is committed is committed; its callers must hear so
            logger.exception("%s: announcing a commit failed", self._name)


class _Waiting(Generic[Job, Outcome]):
    """A job, and who waits for its outcome."""

    __slots__ = ("callback", "first_tried_at", "job", "loop", "size")

    def __init__(
        self,
        job: Job,
        callback: "Callable[[Outcome | Exception], None]",
        loop: asyncio.AbstractEventLoop,
        size: int,
    ) -> None:
        self.job = job
        self.callback = callback
        self.loop = loop
        self.size = size
        self.first_tried_at = math.inf


_Result: TypeAlias = tuple[_Waiting[Job, Outcome], Outcome | Exception]
_Answer: TypeAlias = tuple[Callable[[Outcome | Exception], None], Outcome | Exception]


def _resolve(answers: "list[_Answer[Outcome]]") -> None:
    for callback, outcome in answers:
        try:
            callback(outcome)
        except Exception:
            # the others of the group have an outcome to hear of as well
            logger.exception("an outcome could not be taken")


def _settle(future: "asyncio.Future[Outcome]", outcome: Outcome | Exception) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
