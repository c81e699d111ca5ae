"""The place of a live pull in the hub, and the task that reads for it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

from livesync.services.hub import get_hub
from livesync.services.live_pull import LivePull


class ReadingOutlet(ABC):
    """An ``Outlet`` that reads for its live pull, from ``start`` to ``stop``.

    It takes whatever is sent at once, as nothing but Acks bounds it; one with a connection that may
    be full says so. A class that derives from it sets ``pull``.

    Args:
        turn: shared by the outlets of one connection, so that it holds one page at a time.
    """

    __slots__ = ("_task", "pull", "turn")

    pull: LivePull

    def __init__(self, turn: asyncio.Lock | None = None) -> None:
        self.turn = turn or asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    def send_chunk(self, values: str) -> None:
        """As in ``Outlet``."""

    @abstractmethod
    async def read(self) -> None:
        """Run ``LivePull.read``, and take its errors."""

    def start(self) -> None:
        """Read what is stored; every commit from here on is told."""
        self.join()
        self.read_again()

    def stop(self) -> None:
        """Hear and read nothing more."""
        get_hub().leave(self.pull)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def join(self) -> None:
        """Hear of every commit from here on; to be called before the first read."""
        get_hub().join(self.pull)

    def read_again(self) -> None:
        """As in ``Outlet``."""
        self._task = self.spawn(self.read())

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run ``work`` in a task."""
        return asyncio.get_running_loop().create_task(work)

    def is_writable(self) -> bool:
        """As in ``Outlet``."""
        return True

    async def wait_until_writable(self) -> None:  # noqa: B027 (not abstract: it always is)
        """As in ``Outlet``."""
