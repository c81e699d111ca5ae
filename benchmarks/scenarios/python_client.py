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
    taking = asyncio.ensure_future(_take(client, start))
    try:
        await writer.push_for(seconds, count=BATCH)
        await writer.push()  # alone: the event that ends the round
        await taking
    finally:
        taking.cancel()
    return writer.store.head - start


async def _take(client: AsyncClient, after: int) -> None:
    """Take every event until a batch of one."""
    async with aclosing(client.live_pages(after)) as pages:
        async for page in pages:
            for event in page.events:
                if event.seq_num != after + 1:
                    raise wire.WireError(f"event {event.seq_num} came behind {after}")
                after = event.seq_num
            if len(page.events) == 1:
                return
