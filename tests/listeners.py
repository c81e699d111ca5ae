"""A live pull without a connection: what reaches its client, page by page."""

import asyncio
import json
from typing import Any

from livesync.protocol.events import Cursor
from livesync.services.hub import Hub, get_hub
from livesync.services.live_pull import LivePull
from tests.clients import page_numbers, until


class Listener:
    """The client of one live pull.

    Args:
        store_id: whose events it wants.
        cursor: what it has seen; None for nothing.
        acks: whether it acknowledges each page at once; otherwise ``ack`` does.
    """

    def __init__(self, store_id: str, cursor: Cursor | None = None, *, acks: bool = True) -> None:
        self.pull = LivePull(store_id, cursor, self)
        self.pages: list[Any] = []
        self.reads = 0
        self.writable = True
        self.error: BaseException | None = None
        self._acks = acks
        self._tasks: set[asyncio.Task[None]] = set()
        self._hub: Hub | None = None
        self.turn = asyncio.Lock()

    def start(self, hub: Hub | None = None) -> "Listener":
        """Join a hub, that of this loop unless told otherwise, and begin to read."""
        self._hub = hub or get_hub()
        self._hub.join(self.pull)
        self.read_again()
        return self

    def stop(self) -> None:
        """Go away."""
        if self._hub is not None:
            self._hub.leave(self.pull)
        for task in self._tasks:
            task.cancel()

    def ack(self, count: int = 1) -> None:
        for _ in range(count):
            self.pull.ack()

    # the outlet of the pull

    def send_chunk(self, values: str) -> None:
        self.pages.append(json.loads(values))
        if self._acks:
            asyncio.get_running_loop().call_soon(self.pull.ack)

    def is_writable(self) -> bool:
        return self.writable

    async def wait_until_writable(self) -> None:
        await until(lambda: self.writable)

    def read_again(self) -> None:
        self.reads += 1
        task = asyncio.ensure_future(self._read())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self) -> None:
        try:
            await self.pull.read()
        except Exception as error:
            self.error = error

    # what the test asks

    @property
    def numbers(self) -> list[int]:
        """The numbers of all events that have come."""
        return [number for page in self.pages for number in page_numbers(page)]

    @property
    def is_live(self) -> bool:
        """Whether it waits for news, with nothing left to read."""
        return not self._tasks and self.error is None

    async def until_live(self) -> None:
        """Wait until it has read what is stored."""
        await until(lambda: self.is_live)

    async def until_seen(self, last: int) -> list[int]:
        """Wait until the event ``last`` has come; all numbers so far."""
        await until(lambda: self.pull.seq_num >= last)
        return self.numbers

    async def until_failed(self) -> BaseException:
        """Wait until it has ended, and say how."""
        await until(lambda: self.error is not None)
        assert self.error is not None
        return self.error
