"""F-28: servers are stopped in good order, one after the other, as a rolling deploy does it."""

import asyncio
import time
from pathlib import Path

from tests.conftest import Figure
from tests.faults.conftest import StartSites
from tests.history.workload import Plan, Progress, run_workload
from tests.site_process import SiteProcess

EVERY_S = 5.0


async def test_a_rolling_restart_leaves_no_push_in_doubt(
    start_sites: StartSites, figure: Figure, history_file: Path
) -> None:
    rounds, most_s = figure(usually=4, drill=24), figure(usually=60, drill=10)
    sites = start_sites(2)
    ends = []

    async def restart_in_turn(progress: Progress) -> None:
        for number in range(rounds):
            await asyncio.sleep(EVERY_S)
            ends.append(await asyncio.to_thread(_terminate, sites[number % 2]))
            await asyncio.to_thread(sites[number % 2].start)

    # what counts is that pushes are under way at every restart, not how many there are between
    plan = Plan(urls=tuple(site.http_url for site in sites), acked_pushes=0, batches_per_s=10.0)
    outcome = await run_workload(plan, faults=restart_in_turn, history_file=history_file)

    assert outcome.findings() == []
    assert outcome.counts()["push info"] == 0
    assert outcome.counts()["live pull cut"] > 0
    assert [code for code, _ in ends] == [0] * rounds
    assert max(seconds for _, seconds in ends) <= most_s


def _terminate(site: SiteProcess) -> tuple[int, float]:
    """The exit code, and how long it took."""
    began_at = time.monotonic()
    return site.terminate(), time.monotonic() - began_at
