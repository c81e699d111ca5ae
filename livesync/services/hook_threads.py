"""Threads for the hooks that are not async, and what becomes of a call that does not return.

A thread cannot be stopped. Whoever waits for a call gives it up after ``hook_timeout_s``; the call
keeps its thread until it returns, and another thread takes its place, so that all other hooks go
on. What bounds these threads is that a hook which keeps some is not called again, for a store or
at all.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from channels.db import database_sync_to_async

from groundwork.daemon_threads import DaemonThreads
from livesync.hooks import Context
from livesync.protocol.responses import PullResponse

logger = logging.getLogger(__name__)

_SHARE_OF_A_STORE = 4
# no future takes the first, and the others would end the loop that waits for the thread
_NOT_FROM_A_THREAD = (StopIteration, GeneratorExit, KeyboardInterrupt, SystemExit)


class ThreadsHeldError(Exception):
    """The hook was not called: its earlier calls keep as many threads as they may."""


class HookThreads:
    """Calls hooks in up to ``count`` threads, besides those that are kept by overdue calls.

    Overdue calls keep up to ``count`` threads for each hook, and a quarter of them for one store:
    an event that makes a hook hang is pushed again and again.
    """

    def __init__(self, count: int) -> None:
        self._threads = DaemonThreads(count, name="livesync-hook")
        self._max_of_hook = count
        self._max_of_store = max(1, count // _SHARE_OF_A_STORE)
        self._overdue: set[_Call] = set()
        self._lock = threading.Lock()

    @property
    def kept(self) -> int:
        """How many threads are kept by overdue calls."""
        return len(self._overdue)

    async def run(self, name: str, hook: Callable[..., Any], *args: Any, max_s: float) -> Any:
        """What ``hook`` returns; it may use the database.

        Args:
            name: which hook it is.
            hook: the site's method.
            args: what it is called with.
            max_s: from when on a call whose caller has gone counts as overdue, in seconds.

        Raises:
            ThreadsHeldError: it was not called.
        """
        call = _Call(name, hook, args, max_s)
        self._refuse_if_held(call)
        in_thread = database_sync_to_async(
            partial(self._in_thread, call), thread_sensitive=False, executor=self._threads
        )
        try:
            return await in_thread()
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(call.seconds_left(), self._give_up, call)
            raise

    def _refuse_if_held(self, call: "_Call") -> None:
        with self._lock:
            overdue = [other for other in self._overdue if other.name == call.name]
        if len(overdue) >= self._max_of_hook:
            raise ThreadsHeldError(f"was not called: {len(overdue)} calls have not returned")
        held = sum(
            call.store_id is not None and other.store_id == call.store_id for other in overdue
        )
        if held >= self._max_of_store:
            raise ThreadsHeldError(f"was not called: {held} calls for this store have not returned")

    def _in_thread(self, call: "_Call") -> Any:
        # while it waited for a thread those before it may have turned out to hang; it would keep
        # the thread that was to take their place
        self._refuse_if_held(call)
        self._begin(call)
        try:
            return call.hook(*call.args)
        except _NOT_FROM_A_THREAD as error:
            raise RuntimeError(f"raised {type(error).__name__}") from error
        finally:
            self._end(call)

    def _begin(self, call: "_Call") -> None:
        with self._lock:
            call.is_running = True
        if call.is_given_up:  # just now, too late to be called off
            self._give_up(call)

    def _end(self, call: "_Call") -> None:
        with self._lock:
            call.is_running = False
            if call in self._overdue:
                self._overdue.remove(call)
                self._threads.drop_one()

    def _give_up(self, call: "_Call") -> None:
        with self._lock:
            call.is_given_up = True
            if not call.is_running or call in self._overdue:
                return
            self._overdue.add(call)
            self._threads.add_one()
            kept = self.kept
        logger.error("a hook of the site hangs: %s; %d threads are kept by hooks", call.name, kept)


class _Call:
    """A call of a hook; ``store_id`` is the store it is about, None for one about none."""

    def __init__(
        self, name: str, hook: Callable[..., Any], args: Sequence[Any], max_s: float
    ) -> None:
        self.name = name
        self.hook = hook
        self.args = args
        self.store_id = _store_of(args)
        self.is_running = False
        self.is_given_up = False
        self._overdue_at = time.monotonic() + max_s

    def seconds_left(self) -> float:
        return max(0.0, self._overdue_at - time.monotonic())


def _store_of(args: Sequence[Any]) -> str | None:
    for argument in args:
        if isinstance(argument, Context):
            return argument.stored_store_id or argument.store_id
        if isinstance(argument, PullResponse):
            return argument.store_id
    return None
