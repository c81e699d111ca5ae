"""F-16: live pulls are opened while others push; how stored pages turn into live chunks."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from tests.conftest import Figure
from tests.faults.conftest import StartSites
from tests.history.checker import check
from tests.history.clients import FinalReader, LiveReader
from tests.history.history import Recorder
from tests.history.wire import Cursor
from tests.history.writers import Writer
from tests.processes import DEADLINE_S

STORED_EVENTS = 500
WRITERS = 2
READERS = 5
LIVE_EVENTS = 5
RECENT = 5_000  # some hundred events, as numbers may jump


@pytest.fixture(params=["one process on SQLite", "two processes on PostgreSQL"])
def urls(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The servers; of two, each client chooses one."""
    if request.param == "one process on SQLite":
        return (request.getfixturevalue("site").http_url,)
    start_sites: StartSites = request.getfixturevalue("start_sites")
    return tuple(site.http_url for site in start_sites(2))


async def test_a_live_pull_opened_under_pushes_has_no_gap_and_no_double(
    urls: tuple[str, ...], figure: Figure, recorder: Recorder
) -> None:
    pulls_each = figure(usually=200, drill=2_000) // READERS
    common = {"urls": urls, "store": "s", "recorder": recorder, "seed": "16"}
    enough = asyncio.Event()
    writers = [
        Writer(
            f"w{number}",
            batches_per_s=100,
            most_events=5,
            acked=lambda: None,
            is_enough=enough.is_set,
            **common,
        )
        for number in range(WRITERS)
    ]
    readers = [LiveReader(f"live{number}", **common) for number in range(READERS)]
    final = FinalReader("final", **common)
    await writers[0].catch_up()
    await writers[0].deliver([f"w0-stored-{number}" for number in range(STORED_EVENTS)])

    try:
        async with asyncio.TaskGroup() as group:
            for writer in writers:
                group.create_task(writer.run())
            await asyncio.gather(*(_come_and_go(reader, pulls_each, writers) for reader in readers))
            enough.set()
        await final.run()
    finally:
        await asyncio.gather(*(client.close() for client in (*writers, *readers, final)))

    live_pulls = [pull for pull in recorder.history.pulls() if pull.invoked.live]
    assert check(recorder.history, [final.log]) == []
    assert len(live_pulls) == pulls_each * READERS


async def _come_and_go(reader: LiveReader, pulls: int, writers: Sequence[Writer]) -> None:
    """Open live pulls at some recent number; leave each after some events newer than itself."""
    chance = random.Random(reader.name)
    for _ in range(pulls):
        known = reader.cursor
        cursor = known and Cursor(known.backend_id, max(0, known.seq - chance.randint(0, RECENT)))
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            pulling = group.create_task(reader.pull(cursor, live=True))
            for _ in range(LIVE_EVENTS):
                newest = max(client.head for client in (reader, *writers))
                await reader.reach(Cursor(writers[0].backend_id or "", newest + 1))
            pulling.cancel()
