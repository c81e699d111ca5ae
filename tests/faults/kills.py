"""A site that is killed again and again while clients push and pull."""

import asyncio
import random
from pathlib import Path

from tests.conftest import Figure
from tests.history.workload import Outcome, Plan, Progress, run_workload
from tests.site_process import SiteProcess


async def run_under_kills(
    site: SiteProcess, *, kills: int, pushes: int, seed: int, figure: Figure, history_file: Path
) -> Outcome:
    """Push so often, and kill the site so often meanwhile, at moments that ``seed`` gives."""
    chance = random.Random(seed)

    async def kill_and_restart(progress: Progress) -> None:
        for number in range(kills):
            await progress.reach(pushes * number // kills)
            await asyncio.sleep(chance.uniform(0.1, 0.5))  # any moment of the pushes
            await asyncio.to_thread(site.kill)
            await asyncio.to_thread(site.start)

    plan = Plan(
        urls=(site.http_url,),
        acked_pushes=pushes,
        deadline_s=figure(usually=600, drill=3_600),
    )
    return await run_workload(plan, faults=kill_and_restart, history_file=history_file)
