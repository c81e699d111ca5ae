"""F-22: somebody else holds SQLite's write lock, a backup tool for example."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.history.events import event_of
from tests.history.history import Entry
from tests.history.wire import RefusedError, open_websocket
from tests.site_process import SiteProcess

SHORT_S = 2.0
FIRST, SECOND = Entry("a", 1, 0), Entry("b", 2, 1)


async def test_a_push_waits_for_a_lock_that_is_held_for_a_moment(site: SiteProcess) -> None:
    async with open_websocket(site.http_url, "s") as client:
        await client.push([event_of(FIRST)], None)
        with _locked(site):
            pushing = asyncio.create_task(client.push([event_of(SECOND)], None))
            await asyncio.sleep(SHORT_S)  # how long the lock is held is the point
            assert not pushing.done()
        await pushing


async def test_a_push_is_refused_while_the_lock_is_not_released(site: SiteProcess) -> None:
    async with open_websocket(site.http_url, "s") as client:
        await client.push([event_of(FIRST)], None)
        with _locked(site):
            with pytest.raises(RefusedError) as refused:
                await client.push([event_of(SECOND)], None)
            read_meanwhile = [page.events async for page in client.pull(None)]
        await client.push([event_of(SECOND)], None)
        read_afterwards = [page.events async for page in client.pull(None)]

    assert refused.value.refusal.tag == "UnknownError"
    assert read_meanwhile == [(event_of(FIRST),)]
    assert read_afterwards == [(event_of(FIRST), event_of(SECOND))]


@contextmanager
def _locked(site: SiteProcess) -> Iterator[None]:
    database = site.data_directory / "livesync.sqlite3"
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
