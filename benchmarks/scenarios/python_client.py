"""How fast events reach code that uses the Python client."""

import asyncio
from contextlib import aclosing

from benchmarks import wire
from benchmarks.load import Metrics, Scale, Stopwatch, Writer, new_store, open_writer
from benchmarks.servers import Server
from livesync.client import AsyncClient

BATCH = 1_000


async def python_live(server: Server, scale: Scale) -> Metrics:
    """One writer pushes batches of 1,000 events, one live pull hands on each event.

    The writer is in the same process, and pushes its next batch when it has the ack of the last.
    """
    store = await new_store(server)
    url = f"ws://{server.address}"
    async with AsyncClient(store.store_id, url) as client, open_writer(server, store) as writer:
        await _deliver(client, writer, scale.warm_up_s)
        with Stopwatch() as watch:
            delivered = await _deliver(client, writer, scale.seconds)
    return {
        "events_per_s": delivered / watch.seconds,
        "events_per_cpu_s": delivered / watch.seconds / watch.generator_busy,
        "generator_busy": watch.generator_busy,
    }


async def _deliver(client: AsyncClient, writer: Writer, seconds: float) -> int:
    """How many events were pushed, and handed on, the last one included."""
    start = writer.store.head
    taker = _Taker(client, after=start)
    taking = asyncio.ensure_future(taker.run())
    try:
        await asyncio.wait([taking, taker.is_live], return_when=asyncio.FIRST_COMPLETED)
        await writer.push_for(seconds, count=BATCH)
        taker.last = writer.store.head + 1
        await writer.push()  # whatever was handed on by now, this comes later
        await taking
    finally:
        taking.cancel()
    return writer.store.head - start


class _Taker:
    """Takes every event of a live pull, until it has the one numbered ``last``."""

    def __init__(self, client: AsyncClient, *, after: int) -> None:
        self.last: int | None = None
        self.is_live: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._client = client
        self._after = after

    async def run(self) -> None:
        async with aclosing(self._client.live_pages(self._after)) as pages:
            await anext(pages)  # an empty one, which says that the pull is live
            self.is_live.set_result(None)
            async for page in pages:
                for event in page.events:
                    self._take(event.seq_num)
                if self._after == self.last:
                    return

    def _take(self, seq_num: int) -> None:
        if seq_num != self._after + 1:
            raise wire.WireError(f"event {seq_num} came behind {self._after}")
        self._after = seq_num
