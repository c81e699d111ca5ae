"""Whether a long eventlog makes pushes or live deliveries slower."""

from benchmarks import sockets
from benchmarks.audience import Audience
from benchmarks.load import (
    Metrics,
    Scale,
    Stopwatch,
    filled_store,
    milliseconds,
    open_writer,
    percentile,
)
from benchmarks.servers import Server, Store


async def flatness(server: Server, scale: Scale) -> Metrics:
    """One client pushes, another pulls live, on a short and on a long eventlog in turn."""
    with Stopwatch() as watch:
        few = await _push_and_deliver(server, await filled_store(server, scale.few_events), scale)
        many = await _push_and_deliver(server, await filled_store(server, scale.many_events), scale)
    return {
        "few_push_ms": few[0],
        "few_live_ms": few[1],
        "many_push_ms": many[0],
        "many_live_ms": many[1],
        "generator_busy": watch.generator_busy,
    }


async def _push_and_deliver(server: Server, store: Store, scale: Scale) -> tuple[float, float]:
    """The medians, in ms, from a push to its ack and to its receipt by the live pull."""
    async with sockets.connected(server, store.store_id) as reader:
        audience = Audience(store)
        await audience.join([reader])
        async with open_writer(server, store) as writer:
            await audience.push_for(writer, scale.warm_up_s)
            latencies = await audience.push_for(writer, scale.seconds)
    acks, receipts = zip(*latencies, strict=True)
    return milliseconds(percentile(acks, 50)), milliseconds(percentile(receipts, 50))
