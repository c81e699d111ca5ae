"""How fast events reach those who pull."""

import time
from collections.abc import Awaitable, Callable

from benchmarks import http_client, sockets, wire
from benchmarks.audience import Audience
from benchmarks.load import (
    Metrics,
    Scale,
    Stopwatch,
    filled_store,
    medians,
    milliseconds,
    new_store,
    open_sockets,
    open_writer,
    percentile,
)
from benchmarks.servers import Server, Store


async def catch_up_ws(server: Server, scale: Scale) -> Metrics:
    """A new client pulls the whole store over a WebSocket, with an Ack for every page."""
    store = await filled_store(server, scale.catch_up_events)
    return await _repeat(lambda: _catch_up_ws(server, store), scale)


async def catch_up_http(server: Server, scale: Scale) -> Metrics:
    """A new client pulls the whole store in one HTTP response."""
    store = await filled_store(server, scale.catch_up_events)

    async def catch_up() -> Metrics:
        # a new connection each time: a server may close one between two long answers
        async with http_client.connected(server) as connection:
            return await _catch_up_http(connection, store)

    return await _repeat(catch_up, scale)


async def fan_out(server: Server, scale: Scale) -> Metrics:
    """One client pushes an event, all live pulls of the store get it, then comes the next."""
    store = await new_store(server)
    async with open_sockets(server, [store.store_id] * scale.live_pulls) as everyone:
        audience = Audience(store)
        await audience.join(everyone)
        async with open_writer(server, store) as writer:
            await audience.push_for(writer, scale.warm_up_s)
            with Stopwatch() as watch:
                latencies = await audience.push_for(writer, scale.seconds)
    receipts = [receipt for _, receipt in latencies]
    return {
        "deliveries_per_s": len(receipts) * scale.live_pulls / watch.seconds,
        "last_receipt_p50_ms": milliseconds(percentile(receipts, 50)),
        "generator_busy": watch.generator_busy,
    }


async def _repeat(catch_up: Callable[[], Awaitable[Metrics]], scale: Scale) -> Metrics:
    """Catch up once to warm up, then as often as the time allows; the medians."""
    await catch_up()
    deadline = time.perf_counter() + scale.seconds
    runs = [await catch_up()]
    while time.perf_counter() < deadline:
        runs.append(await catch_up())
    return medians(runs)


async def _catch_up_ws(server: Server, store: Store) -> Metrics:
    received: list[tuple[float, list[wire.Page]]] = []
    async with sockets.connected(server, store.store_id) as socket:
        start = time.perf_counter()
        with Stopwatch() as watch:
            end = await socket.pull(lambda pages: received.append((time.perf_counter(), pages)))
    wire.require_success(end)
    pages = [page for _, chunk in received for page in chunk]
    return _catch_up_figures(store, pages, watch, first_chunk_s=received[0][0] - start)


async def _catch_up_http(connection: http_client.HttpConnection, store: Store) -> Metrics:
    request = wire.pull_request("1", store.store_id, rpc="SyncHttpRpc")
    start = time.perf_counter()
    with Stopwatch() as watch:
        response = await connection.post(store.store_id, request)
    pages = wire.http_pages(response.body)
    first = response.arrival_of(wire.first_answer_bytes(response.body))
    return _catch_up_figures(store, pages, watch, first_chunk_s=first - start)


def _catch_up_figures(
    store: Store, pages: list[wire.Page], watch: Stopwatch, *, first_chunk_s: float
) -> Metrics:
    head = wire.require_chain(pages, after=0)
    if head != store.head or pages[-1].page_info.tag != "NoMore":
        raise wire.WireError(f"the pull ended at {head}, the store at {store.head}")
    return {
        "events_per_s": head / watch.seconds,
        "first_chunk_ms": milliseconds(first_chunk_s),
        "generator_busy": watch.generator_busy,
    }
