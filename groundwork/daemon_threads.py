"""Threads for calls that may never return: the end of the process does not wait for them."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreads(Executor):
    """Up to ``count`` threads, started as they are needed; further calls wait for one.

    Python joins the threads of ``concurrent.futures.ThreadPoolExecutor`` before it ends, so that
    one call that hangs would keep the process from ending. These are left behind. What must be
    seen through does not belong here.

    For a call that is not expected to return, ``add_one`` lets another thread take the place of its
    own; should it return after all, it says so with ``drop_one``.
    """

    def __init__(self, count: int, *, name: str) -> None:
        self._count = count
        self._name = name
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Call ``fn`` in a thread."""
        future: Future[T] = Future()
        self._calls.put(partial(_run, future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False):
            self._start_another()
        return future

    def add_one(self) -> None:
        """Let one thread more be started; at once, if calls wait for one."""
        with self._lock:
            self._count += 1
        if not self._calls.empty():
            self._start_another()

    def drop_one(self) -> None:
        """Let one thread fewer go on, once it has made its call."""
        with self._lock:
            self._count -= 1

    def _start_another(self) -> None:
        with self._lock:
            if self._started >= self._count:
                return
            self._started += 1
            name = f"{self._name}-{next(self._numbers)}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while not self._is_one_too_many():
            self._next()()

    def _is_one_too_many(self) -> bool:
        with self._lock:
            if self._started <= self._count:
                return False
            self._started -= 1
            return True

    def _next(self) -> Callable[[], None]:
        try:
            return self._calls.get_nowait()
        except Empty:
            self._idle.release()
            return self._calls.get()


def _run(future: "Future[Any]", call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
