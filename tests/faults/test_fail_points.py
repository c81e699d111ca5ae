"""F-03: the server dies at chosen points on the way of a push."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Figure
from tests.faults import fail_points
from tests.faults.conftest import ENVIRONMENT
from tests.faults.crowd import Crowd
from tests.faults.fail_points import Trigger
from tests.faults.tuned_settings import tuned
from tests.history.checker import check
from tests.history.history import Recorder
from tests.processes import wait_until
from tests.site_process import SiteProcess

POINTS = {
    fail_points.BEFORE_COMMIT: ("info", 0),
    fail_points.AFTER_COMMIT: ("info", 1),
    fail_points.AMID_NEWS: ("info", 1),
    fail_points.AFTER_ACK: ("ok", 1),
}


@pytest.fixture
def trigger(tmp_path: Path) -> Trigger:
    return Trigger(tmp_path / "fail-point")


@pytest.fixture
def site(trigger: Trigger) -> Iterator[SiteProcess]:
    """A site that dies where the trigger says."""
    with SiteProcess(environment={**ENVIRONMENT, **tuned(), **trigger.environment}) as site:
        yield site


@pytest.mark.parametrize("point", POINTS)
async def test_a_push_survives_the_death_of_the_server(
    site: SiteProcess, trigger: Trigger, point: str, figure: Figure
) -> None:
    for number in range(figure(usually=3, drill=25)):
        recorder = Recorder()
        async with Crowd(site.http_url, recorder=recorder, store=f"s{number}") as crowd:
            await crowd.push()
            await crowd.all_have_read()
            trigger.arm(point)
            pushing = asyncio.create_task(crowd.push(2))
            await asyncio.to_thread(wait_until, lambda: not site.running, what="the death")
            stored = _count_events(site, crowd.store)
            trigger.disarm()
            await asyncio.to_thread(site.start)
            await pushing
            await crowd.all_have_read()
            log = await crowd.finish()

        doomed = recorder.history.pushes()[1]
        assert (doomed.outcome, stored) == (POINTS[point][0], 1 + 2 * POINTS[point][1])
        assert check(recorder.history, [log]) == []
        assert len(log.entries) == 3


def _count_events(site: SiteProcess, store: str) -> int:
    connection = sqlite3.connect(site.data_directory / "livesync.sqlite3")
    try:
        row = connection.execute(
            "SELECT event_count, (SELECT count(*) FROM livesync_storedevent AS event"
            " WHERE event.store_id = store.id) FROM livesync_store AS store WHERE store_id = ?",
            (store,),
        ).fetchone()
    finally:
        connection.close()
    assert row[0] == row[1]
    return int(row[1])
