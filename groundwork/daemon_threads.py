"""Threads for calls that may never return: the end of the process does not wait for them."""

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
    """

    def __init__(self, count: int, *, name: str) -> None:
        self._count = count
        self._name = name
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Call ``fn`` in a thread."""
        future: Future[T] = Future()
        self._calls.put(partial(_run, future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False):
            self._start_another()
        return future

    def _start_another(self) -> None:
        with self._lock:
            if self._started == self._count:
                return
            name = f"{self._name}-{self._started}"
            self._started += 1
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            self._next()()

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
