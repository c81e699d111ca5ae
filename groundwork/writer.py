"""What arrives together commits together; outcomes in commit order.

One thread per process and database writes. Jobs that arrive while a commit is under way wait in its
queue and share the next transaction: on a busy server many jobs pay for one durable commit.
"""

import asyncio
import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

from django.db import connections

from groundwork.connections import call_in_loop

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

logger = logging.getLogger(__name__)


class Writer(Generic[Job, Outcome]):
    """Commits jobs in the order in which they were handed in, many to a transaction.

    Args:
        commit: stores jobs in one transaction; gives each its outcome, or an exception that is
            that job's alone. When it raises, nothing was stored, unless ``final`` says otherwise.
        announce: called in the writer's thread with the jobs and outcomes of a commit, before any
            caller hears of it, and whatever has become of the callers.
        final: the exceptions of ``commit`` that are every job's outcome. Trying the jobs one by one
            is of no use after them, or would store some twice.
        max_group: most jobs in one transaction, so that one caller's wait stays bounded.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Job]], Sequence[Outcome | Exception]],
        *,
        announce: Callable[[Sequence[Outcome]], None],
        final: tuple[type[Exception], ...],
        name: str,
        max_group: int = 512,
    ) -> None:
        self._commit = commit
        self._announce = announce
        self._final = final
        self._name = name
        self._max_group = max_group
        self._queue: queue.SimpleQueue[_Waiting[Job, Outcome] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, job: Job) -> "asyncio.Future[Outcome]":
        """Hand in a job from a running event loop; the future is resolved after the commit."""
        if self._thread is None or not self._thread.is_alive():
            self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._queue.put((job, future, loop))
        return future

    def stop(self) -> None:
        """Commit what waits, close the thread's connections, end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _start(self) -> None:
        with self._lock:
            # not alive: it has ended without our doing, or this is the child of a fork
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        try:
            while (first := self._queue.get()) is not None:
                group = [first]
                stopping = self._gather(group)
                self._write_safely(group)
                if stopping:
                    return
        finally:
            connections.close_all()

    def _gather(self, group: "list[_Waiting[Job, Outcome]]") -> bool:
        while len(group) < self._max_group:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return False
            if waiting is None:
                return True
            group.append(waiting)
        return False

    def _write_safely(self, group: "list[_Waiting[Job, Outcome]]") -> None:
        try:
            self._write(group)
        except Exception as error:
            # a bug; what it left without an answer gets this one, and the thread goes on
            logger.exception("%s: writing a group failed", self._name)
            for _, future, loop in group:
                call_in_loop(loop, _answer, [(future, error)])

    def _write(self, group: "list[_Waiting[Job, Outcome]]") -> None:
        outcomes = self._outcomes([job for job, _, _ in group])
        done = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
        if done:
            self._announce_safely(done)
        answers: defaultdict[asyncio.AbstractEventLoop, list[_Answer[Outcome]]] = defaultdict(list)
        for (_, future, loop), outcome in zip(group, outcomes, strict=True):
            answers[loop].append((future, outcome))
        for loop, answers_of_loop in answers.items():
            call_in_loop(loop, _answer, answers_of_loop)

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
        return [self._outcomes([job])[0] for job in jobs]

    def _announce_safely(self, outcomes: Sequence[Outcome]) -> None:
        try:
            self._announce(outcomes)
        except Exception:
            # what is committed is committed; its callers must hear so
            logger.exception("%s: announcing a commit failed", self._name)


_Waiting: TypeAlias = tuple[Job, "asyncio.Future[Outcome]", asyncio.AbstractEventLoop]
_Answer: TypeAlias = tuple["asyncio.Future[Outcome]", Outcome | Exception]


def _answer(answers: "list[_Answer[Outcome]]") -> None:
    for future, outcome in answers:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
