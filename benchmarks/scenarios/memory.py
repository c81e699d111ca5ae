"""What an idle live pull weighs."""

import asyncio
from contextlib import AsyncExitStack

from benchmarks.audience import Audience
from benchmarks.load import Metrics, Scale, Stopwatch, new_store, open_sockets
from benchmarks.servers import Server, Store

STORES = 20
SETTLE_S = 1.0


async def idle_memory(server: Server, scale: Scale) -> Metrics:
    """How much the server process and its children grow with live pulls that wait.

    The pulls are spread over 20 stores. A tenth as many are open before the first weighing and
    stay open, so that neither code loaded on first use nor memory freed before is counted.
    """
    each = scale.idle_pulls // STORES
    stores = [await new_store(server) for _ in range(STORES)]
    async with AsyncExitStack() as stack:
        with Stopwatch() as watch:
            await _open_live_pulls(stack, server, stores, each // 10)
            before = await _settled_bytes(server)
            await _open_live_pulls(stack, server, stores, each)
            after = await _settled_bytes(server)
    return {
        "kb_per_pull": (after - before) / 1_000 / (each * STORES),
        "generator_busy": watch.generator_busy,
    }


async def _open_live_pulls(
    stack: AsyncExitStack, server: Server, stores: list[Store], each: int
) -> None:
    for store in stores:
        everyone = await stack.enter_async_context(open_sockets(server, [store.store_id] * each))
        await Audience(store).join(everyone)


async def _settled_bytes(server: Server) -> int:
    await asyncio.sleep(SETTLE_S)
    return server.memory_bytes()
