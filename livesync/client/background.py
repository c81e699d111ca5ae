"""An event loop in a thread of its own, for callers that have none.

All sync clients of a process share one. It begins with the first client and ends with the last, so
that nothing stays behind in a script, a worker or a test.
"""

import asyncio
import os
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any, TypeVar

from livesync.client.errors import ClosedError

T = TypeVar("T")

_lock = threading.Lock()
_running: "Background | None" = None


class Background:
    """The loop and its thread. Made by ``borrow``."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._users = 0
        self._pid = os.getpid()
        self._clean_ups: set[Callable[[], Awaitable[None]]] = set()
        self._thread = threading.Thread(target=self._work, name="livesync-client", daemon=True)
        self._thread.start()

    @staticmethod
    def borrow() -> "Background":
        """The one of this process; to be given back."""
        global _running
        with _lock:
            # another process: the child of a fork has the loop, but not its thread
            if _running is None or _running._pid != os.getpid():
                _running = Background()
            _running._users += 1
            return _running

    def give_back(self) -> None:
        """Needed no more here; the last one ends it."""
        global _running
        with _lock:
            self._users -= 1
            if self._users or _running is not self:
                return
            _running = None
        self._end()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """``Caller.run`` for work that calls nothing here."""
        return Caller(self).run(work)

    def start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run ``work`` in the loop.

        Raises:
            ClosedError: the loop has ended.
            RuntimeError: this is the child of a fork, where no thread runs it.
        """
        if self._pid != os.getpid():
            work.close()
            raise RuntimeError("this client is another process's: make one behind the fork")
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise ClosedError from None

    def at_end(self, clean_up: Callable[[], Awaitable[None]]) -> None:
        """Await ``clean_up()`` in the loop before it ends; the same function once only."""
        self._clean_ups.add(clean_up)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _end(self) -> None:
        if self._pid != os.getpid():
            return  # the thread is the parent's
        asyncio.run_coroutine_threadsafe(self._wind_down(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _wind_down(self) -> None:
        for clean_up in self._clean_ups:
            await clean_up()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_asyncgens()


class Caller:
    """A thread that waits for work in the loop, and lends itself to the functions of its own.

    A function that is called in the loop must not wait, nor use Django's database; in the thread
    that handed it over it may.
    """

    def __init__(self, background: Background) -> None:
        self._background = background
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def lend(self, function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        """``function`` for the loop to await; it runs in the thread that waits in ``run``."""

        async def call(*args: Any) -> Any:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            self._calls.put(partial(_call, loop, future, function, args))
            return await future

        return call

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` in the loop and wait for it.

        Raises:
            RuntimeError: the caller is on an event loop itself, which would stand still.
        """
        if _is_on_a_loop():
            work.close()
            raise RuntimeError("this thread runs an event loop, which must not wait: AsyncClient")
        future = self._background.start(work)
        future.add_done_callback(lambda _: self._calls.put(None))
        try:
            while (call := self._calls.get()) is not None:
                call()
            return future.result()
        except CancelledError:
            raise ClosedError from None
        except BaseException:
            future.cancel()  # after Ctrl+C the work goes no further
            raise


def _call(
    loop: asyncio.AbstractEventLoop,
    future: "asyncio.Future[Any]",
    function: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    try:
        result = function(*args)
    except Exception as error:
        loop.call_soon_threadsafe(_settle, future, None, error)
    else:
        loop.call_soon_threadsafe(_settle, future, result, None)


def _settle(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
