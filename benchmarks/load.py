"""What several scenarios need: their sizes, a stopwatch, and a writer that knows its head."""

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

from benchmarks import sockets, wire
from benchmarks.servers import Server, Store

FILL_BATCH = 1_000
OPEN_AT_ONCE = 50

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How long and how large a run is."""

    rounds: int = 3
    seconds: float = 2.0
    warm_up_s: float = 1.0
    catch_up_events: int = 10_000
    live_pulls: int = 500
    idle_pulls: int = 1_000
    few_events: int = 1_000
    many_events: int = 1_000_000


QUICK = Scale(rounds=1, seconds=0.5, warm_up_s=0.2, many_events=50_000)


class Stopwatch:
    """Wall time of a block, and which share of it the generator itself was busy."""

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._wall
        self.generator_busy = (time.process_time() - self._cpu) / self.seconds


class Writer:
    """A client that pushes to a store and takes itself for the only one."""

    def __init__(self, socket: sockets.SyncSocket, store: Store) -> None:
        self._socket = socket
        self.store = store

    async def push(self, count: int = 1) -> None:
        """Push ``count`` new events as one batch; the head moves with the ack."""
        events = wire.encode_events(count, after=self.store.head)
        await self._socket.push(events, backend_id=self.store.backend_id)
        self.store.head += count

    async def push_for(self, seconds: float, *, count: int = 1) -> list[float]:
        """Push batch after batch; how long each took, in seconds."""
        latencies: list[float] = []
        before = time.perf_counter()
        deadline = before + seconds
        while before < deadline:
            await self.push(count)
            after = time.perf_counter()
            latencies.append(after - before)
            before = after
        return latencies


async def new_store(server: Server) -> Store:
    """An empty store whose backend id is known.

    It is learnt on a socket of its own: the reference sends every later event once more for each
    pull that its socket ever made, which a real client would not cause.
    """
    store_id = f"bench-{secrets.token_hex(6)}"
    pages = await sockets.pull_pages(server, store_id)
    return Store(store_id, pages[-1].backend_id)


async def filled_store(server: Server, events: int) -> Store:
    """A store with at least so many events, the same one in every round."""
    if events not in server.filled:
        store = await new_store(server)
        async with open_writer(server, store) as writer:
            while store.head < events:
                await writer.push(min(FILL_BATCH, events - store.head))
        server.filled[events] = store
    return server.filled[events]


@asynccontextmanager
async def open_writer(server: Server, store: Store) -> AsyncIterator[Writer]:
    """A writer on ``store``; at the end its head must be the store's, or ``WireError``."""
    async with sockets.connected(server, store.store_id) as socket:
        yield Writer(socket, store)
    await require_head(server, store)


async def require_head(server: Server, store: Store) -> None:
    """Raise ``WireError`` unless the last acknowledged event is the last stored one."""
    after = store.head - 1
    pages = await sockets.pull_pages(server, store.store_id, cursor=(store.backend_id, after))
    if wire.require_chain(pages, after=after) != store.head:
        raise wire.WireError(f"event {store.head} was acknowledged and is not stored")


@asynccontextmanager
async def open_sockets(
    server: Server, store_ids: Sequence[str]
) -> AsyncIterator[list[sockets.SyncSocket]]:
    """One socket per entry of ``store_ids``, for the length of a block."""
    async with AsyncExitStack() as stack:
        opened: list[sockets.SyncSocket] = []
        for start in range(0, len(store_ids), OPEN_AT_ONCE):
            some = store_ids[start : start + OPEN_AT_ONCE]
            opened += await asyncio.gather(
                *(stack.enter_async_context(sockets.connected(server, name)) for name in some)
            )
        yield opened


def medians(runs: Sequence[Metrics]) -> Metrics:
    """The median of every metric; all runs have the same ones."""
    return {name: statistics.median(metrics[name] for metrics in runs) for name in runs[0]}


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that ``percent`` of all do not exceed."""
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def milliseconds(seconds: float) -> float:
    """For tables: seconds in ms."""
    return seconds * 1_000
