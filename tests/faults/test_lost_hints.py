"""Hints between processes may all be lost: every live pull gets everything nevertheless."""

import asyncio

import pytest

from tests.faults.conftest import StartSites
from tests.faults.tuned_settings import tuned
from tests.history.events import event_of
from tests.history.history import Entry
from tests.history.wire import RefusedError, open_websocket
from tests.processes import DEADLINE_S

NEVER_S = 86_400.0
FIRST, SECOND, STALE = Entry("a", 1, 0), Entry("b", 2, 1), Entry("c", 1, 0)


async def test_what_another_process_committed_comes_by_itself(
    start_lonely_sites: StartSites,
) -> None:
    here, there = start_lonely_sites(2, environment=tuned(reconcile_interval_s=0.2))

    async with (
        open_websocket(here.http_url, "s") as reader,
        open_websocket(there.http_url, "s") as writer,
        asyncio.timeout(DEADLINE_S),
    ):
        pages = reader.pull(None, live=True)
        before = await anext(pages)
        await writer.push([event_of(FIRST)], None)
        after = await anext(pages)
        await pages.aclose()

    assert (before.events, after.events) == ((), (event_of(FIRST),))


async def test_a_client_that_is_behind_is_told_so_and_brought_up_to_date(
    start_lonely_sites: StartSites,
) -> None:
    here, there = start_lonely_sites(2, environment=tuned(reconcile_interval_s=NEVER_S))

    async with (
        open_websocket(here.http_url, "s") as client,
        open_websocket(there.http_url, "s") as writer,
        asyncio.timeout(DEADLINE_S),
    ):
        pages = client.pull(None, live=True)
        await anext(pages)
        await writer.push([event_of(FIRST), event_of(SECOND)], None)
        with pytest.raises(RefusedError) as refused:
            await client.push([event_of(STALE)], None)
        # a real client now sleeps until its live pull brings what it lacks
        page = await anext(pages)
        await pages.aclose()

    assert (refused.value.refusal.tag, refused.value.refusal.head) == ("ServerAheadError", 2)
    assert page.events == (event_of(FIRST), event_of(SECOND))
