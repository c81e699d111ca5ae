"""How fast events are accepted."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace

from benchmarks import http_client, sockets, wire
from benchmarks.load import (
    Metrics,
    Scale,
    Stopwatch,
    Writer,
    milliseconds,
    new_store,
    open_writer,
    percentile,
    require_head,
)
from benchmarks.servers import Server, Store

STORES = 50
WRITERS = 8
BATCH = 100


async def push_one(server: Server, scale: Scale) -> Metrics:
    """One client pushes one event at a time and waits for each ack."""
    async with open_writer(server, await new_store(server)) as writer:
        await writer.push_for(scale.warm_up_s)
        with Stopwatch() as watch:
            latencies = await writer.push_for(scale.seconds)
    return _latency_figures(latencies, watch)


async def push_batches(server: Server, scale: Scale) -> Metrics:
    """One client pushes batches of 100 events, the most a client sends, one after the other."""
    async with open_writer(server, await new_store(server)) as writer:
        await writer.push_for(scale.warm_up_s, count=BATCH)
        with Stopwatch() as watch:
            batches = len(await writer.push_for(scale.seconds, count=BATCH))
    return {
        "events_per_s": batches * BATCH / watch.seconds,
        "generator_busy": watch.generator_busy,
    }


async def push_http(server: Server, scale: Scale) -> Metrics:
    """One client pushes one event at a time over HTTP, on a kept-alive connection."""
    store = await new_store(server)
    async with http_client.connected(server) as connection:
        await _push_http_for(scale.warm_up_s, connection, store)
        with Stopwatch() as watch:
            latencies = await _push_http_for(scale.seconds, connection, store)
    await require_head(server, store)
    return _latency_figures(latencies, watch)


async def fifty_stores(server: Server, scale: Scale) -> Metrics:
    """Fifty clients, each on a store and a socket of its own, push one event at a time."""
    async with AsyncExitStack() as stack:
        stores = [await new_store(server) for _ in range(STORES)]
        writers = [await stack.enter_async_context(open_writer(server, name)) for name in stores]
        await asyncio.gather(*(writer.push_for(scale.warm_up_s) for writer in writers))
        with Stopwatch() as watch:
            runs = await asyncio.gather(*(writer.push_for(scale.seconds) for writer in writers))
    return _latency_figures([latency for run in runs for latency in run], watch)


async def eight_writers(server: Server, scale: Scale) -> Metrics:
    """Eight clients push to one store; who comes too late continues the head it is told."""
    store = await new_store(server)
    async with AsyncExitStack() as stack:
        writers = [
            Writer(
                await stack.enter_async_context(sockets.connected(server, store.store_id)),
                replace(store),
            )
            for _ in range(WRITERS)
        ]
        warm = await asyncio.gather(*(_contend(writer, scale.warm_up_s) for writer in writers))
        with Stopwatch() as watch:
            runs = await asyncio.gather(*(_contend(writer, scale.seconds) for writer in writers))
    await _require_events(server, store, sum(warm) + sum(runs))
    return {
        "accepted_per_s": sum(runs) / watch.seconds,
        "generator_busy": watch.generator_busy,
    }


def _latency_figures(latencies: list[float], watch: Stopwatch) -> Metrics:
    return {
        "p50_ms": milliseconds(percentile(latencies, 50)),
        "p99_ms": milliseconds(percentile(latencies, 99)),
        "pushes_per_s": len(latencies) / watch.seconds,
        "generator_busy": watch.generator_busy,
    }


async def _push_http_for(
    seconds: float, connection: http_client.HttpConnection, store: Store
) -> list[float]:
    latencies: list[float] = []
    before = time.perf_counter()
    deadline = before + seconds
    while before < deadline:
        await _push_http(connection, store)
        after = time.perf_counter()
        latencies.append(after - before)
        before = after
    return latencies


async def _push_http(connection: http_client.HttpConnection, store: Store) -> None:
    events = wire.encode_events(1, after=store.head)
    request = wire.push_request(
        "1", store.store_id, events, backend_id=store.backend_id, rpc="SyncHttpRpc"
    )
    response = await connection.post(store.store_id, request)
    wire.require_http_success(response.body)
    store.head += 1


async def _contend(writer: Writer, seconds: float) -> int:
    accepted = 0
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        try:
            await writer.push()
            accepted += 1
        except wire.ServerAheadError as error:
            writer.store.head = error.head
    return accepted


async def _require_events(server: Server, store: Store, accepted: int) -> None:
    stored = wire.require_chain(await sockets.pull_pages(server, store.store_id), after=0)
    if stored != accepted:
        raise wire.WireError(f"{accepted} pushes were acknowledged, {stored} are stored")
