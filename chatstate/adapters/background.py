"""Work that goes on, whatever becomes of whoever began it, and how long to wait for it."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

from chatstate.adapters.transport import Reply, Told


class Background:
    """Tasks that nobody waits for: an event loop alone would let go of them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Have ``work`` done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._let_go)

    def call(self, call: Coroutine[Any, Any, Reply], told: Told) -> None:
        """Have an operation carried out, and tell ``told`` what it came to."""
        self.run(_tell(call, told))

    def _let_go(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, as there is nobody who would be told


class Patience:
    """Gives futures their result after a while, unless they had it before.

    One timer serves all of them: a timer for each, of which nearly none ever goes off, would take
    longer than what it watches.

    Args:
        seconds: how long a future has.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many futures it knows of."""
        return len(self._waiting)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the futures belong to."""
        return self._loop

    def future(self) -> "asyncio.Future[None]":
        """One that has its result in ``seconds`` at the latest."""
        self._drop_what_is_done()
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((self._loop.time() + self._seconds, future))
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)
        return future

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            _, future = self._waiting.popleft()
            settle(future)
        self._drop_what_is_done()
        if self._waiting:
            self._timer = self._loop.call_at(self._waiting[0][0], self._look)

    def _drop_what_is_done(self) -> None:
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()


def settle(future: "asyncio.Future[None]", error: Exception | None = None) -> None:
    """End the wait for ``future``, with ``error`` if there is one, unless its caller has gone."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


async def _tell(call: Coroutine[Any, Any, Reply], told: Told) -> None:
    outcome: Reply | Exception
    try:
        outcome = await call
    except Exception as error:
        outcome = error
    told(outcome)
