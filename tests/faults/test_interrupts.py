"""F-37: clients give up their requests in the middle."""

import asyncio

from livesync.conf import LivesyncSettings
from tests.conftest import Figure
from tests.history.events import event_of
from tests.history.history import Entry
from tests.history.wire import open_websocket
from tests.processes import DEADLINE_S
from tests.site_process import SiteProcess

AT_ONCE = 20


async def test_a_push_that_is_interrupted_is_stored_and_told_nevertheless(
    site: SiteProcess, figure: Figure
) -> None:
    batches = [
        [event_of(Entry(f"w-{n}", n + 1, n))] for n in range(figure(usually=500, drill=5_000))
    ]

    async with (
        open_websocket(site.http_url, "s") as client,
        open_websocket(site.http_url, "s") as reader,
        asyncio.timeout(10 * DEADLINE_S),
    ):
        pages = reader.pull(None, live=True)
        told = list((await anext(pages)).events)
        for number, batch in enumerate(batches, 1):
            await _interrupt(asyncio.create_task(client.push(batch, None)))
            while number % AT_ONCE == 0 and len(told) < number:
                told += (await anext(pages)).events
        await pages.aclose()
        stored = [event async for page in client.pull(None) for event in page.events]

    assert told == stored == [event for batch in batches for event in batch]


async def test_live_pulls_that_are_interrupted_make_room_for_others(site: SiteProcess) -> None:
    most = LivesyncSettings().live_pulls_per_socket

    async with (
        open_websocket(site.http_url, "s") as client,
        asyncio.timeout(DEADLINE_S),
    ):
        for _ in range(10 * most):
            pages = client.pull(None, live=True)
            await anext(pages)
            await pages.aclose()
        await client.push([event_of(Entry("a", 1, 0))], None)


async def _interrupt(request: "asyncio.Task[None]") -> None:
    """Cancel it as soon as it was sent, whatever has become of it by then."""
    await asyncio.sleep(0)
    request.cancel()
    await asyncio.wait({request})
