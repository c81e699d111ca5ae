"""F-01, F-02: the server is killed while it commits, acknowledges and delivers."""

import asyncio
import random
from pathlib import Path

from tests.conftest import Figure
from tests.faults.conftest import StartSites
from tests.faults.kills import run_under_kills
from tests.history.workload import Plan, Progress, run_workload
from tests.site_process import SiteProcess


async def test_a_killed_server_keeps_all_that_it_acknowledged(
    site: SiteProcess, figure: Figure, history_file: Path
) -> None:
    kills, pushes = figure(usually=10, drill=50), figure(usually=2_000, drill=10_000)

    outcome = await run_under_kills(
        site, kills=kills, pushes=pushes, seed=1, figure=figure, history_file=history_file
    )

    assert outcome.findings() == []
    assert outcome.counts()["push info"] > 0  # so some were killed in the middle


async def test_when_one_of_two_servers_is_killed_the_other_goes_on(
    start_sites: StartSites, figure: Figure, history_file: Path
) -> None:
    kills, pushes = figure(usually=10, drill=50), figure(usually=2_000, drill=10_000)
    sites = start_sites(2)
    chance = random.Random(2)

    async def kill_in_turn(progress: Progress) -> None:
        for number in range(kills):
            await progress.reach(pushes * number // kills)
            await asyncio.sleep(chance.uniform(0.1, 0.5))  # any moment of the pushes
            await asyncio.to_thread(sites[number % 2].kill)
            await progress.reach(progress.acked + 10)
            await asyncio.to_thread(sites[number % 2].start)

    plan = Plan(
        urls=tuple(site.http_url for site in sites),
        acked_pushes=pushes,
        deadline_s=figure(usually=600, drill=3_600),
    )
    outcome = await run_workload(plan, faults=kill_in_turn, history_file=history_file)

    assert outcome.findings() == []
    assert outcome.counts()["push info"] > 0
