"""A few clients on one store, for faults that need no more than that."""

import asyncio
from types import TracebackType
from typing import Any, Self

from tests.history.clients import FinalReader, LiveReader
from tests.history.history import FinalLog, Recorder
from tests.history.wire import Cursor
from tests.history.writers import Writer
from tests.processes import DEADLINE_S


class Crowd:
    """One client that pushes when it is told to, and some with a live pull each.

    Like all clients of the workload they come back by themselves when they were cut.
    """

    def __init__(
        self, *urls: str, recorder: Recorder, readers: int = 2, store: str = "store"
    ) -> None:
        client: dict[str, Any] = {"urls": urls, "store": store, "recorder": recorder, "seed": store}
        self.store = store
        self._writer = Writer(
            "w0", batches_per_s=1, most_events=1, acked=int, is_enough=bool, **client
        )
        self._readers = [LiveReader(f"live{number}", **client) for number in range(readers)]
        self._final = FinalReader("final", **client)
        self._reading: list[asyncio.Task[None]] = []
        self._named = 0

    async def push(self, events: int = 1, *, name_bytes: int = 0) -> None:
        """Push one batch until it is stored; the names make events at least so large."""
        first, self._named = self._named, self._named + events
        names = [f"w0-{number}-" for number in range(first, self._named)]
        await self._writer.deliver([name.ljust(name_bytes, "x") for name in names])

    async def all_have_read(self) -> None:
        """Wait until every live pull has brought what was pushed."""
        end = Cursor(self._writer.backend_id or "", self._writer.head)
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(reader.reach(end) for reader in self._readers))

    async def finish(self) -> FinalLog:
        """End the live pulls, which must be complete by now, and read the log."""
        for reader, task in zip(self._readers, self._reading, strict=True):
            reader.is_over = True
            task.cancel()
        await asyncio.wait(self._reading)
        await self._final.run()
        return self._final.log

    async def __aenter__(self) -> Self:
        await self._writer.catch_up()
        self._reading = [asyncio.create_task(reader.run()) for reader in self._readers]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        for client in (self._writer, *self._readers, self._final):
            await client.close()
