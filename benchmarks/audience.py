"""Live pulls on one store, and when the last of them has an event."""

import asyncio
import time
from functools import partial

from benchmarks import sockets, wire
from benchmarks.load import Writer
from benchmarks.servers import Store


class Audience:
    """Live pulls that must each get every event once and in order.

    Whatever goes wrong on one of them (a gap, a repetition, a lost connection) fails the wait
    under way with ``WireError``.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heads: list[int] = []
        self._behind: set[int] = set()
        self._awaited = store.head
        self._all_there: asyncio.Future[float]

    async def join(self, everyone: list[sockets.SyncSocket]) -> None:
        """Open a live pull at the store's head on each socket; back when all are answered."""
        self._heads = [self._store.head] * len(everyone)
        answered = self._expect(self._store.head)
        cursor = (self._store.backend_id, self._store.head)
        for place, socket in enumerate(everyone):
            end = socket.pull(partial(self._receive, place), cursor=cursor, live=True)
            end.add_done_callback(self._pull_ended)
        await answered

    async def push_for(self, writer: Writer, seconds: float) -> list[tuple[float, float]]:
        """Push an event, wait until all have it, push the next.

        Returns:
            Per event the seconds from its push to its ack and to the last receipt.
        """
        latencies: list[tuple[float, float]] = []
        start = time.perf_counter()
        deadline = start + seconds
        while start < deadline:
            all_there = self._expect(writer.store.head + 1)
            await writer.push()
            acknowledged = time.perf_counter()
            latencies.append((acknowledged - start, await all_there - start))
            start = time.perf_counter()
        return latencies

    def _expect(self, head: int) -> asyncio.Future[float]:
        self._awaited = head
        self._behind = set(range(len(self._heads)))
        self._all_there = asyncio.get_running_loop().create_future()
        return self._all_there

    def _receive(self, place: int, pages: list[wire.Page]) -> None:
        head = wire.require_chain(pages, after=self._heads[place])
        self._heads[place] = head
        if head < self._awaited:
            return
        self._behind.discard(place)
        if not self._behind and not self._all_there.done():
            self._all_there.set_result(time.perf_counter())

    def _pull_ended(self, end: asyncio.Future[wire.Exit]) -> None:
        if end.cancelled() or self._all_there.done():
            return
        reason = end.exception() or end.result()
        self._all_there.set_exception(wire.WireError(f"a live pull ended: {reason}"))
