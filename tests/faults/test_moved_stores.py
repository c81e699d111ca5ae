"""Stores move between the engines under load; the mover is killed at any moment of it."""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conftest import Figure
from tests.faults.conftest import ENVIRONMENT
from tests.faults.kills import run_under_kills
from tests.history.workload import Plan, Progress, run_workload
from tests.servers import PostgresServer, ValkeyServer
from tests.site_process import MANAGE, SiteProcess, site_database

STORES = ("w-store-1", "w-store-2")


class Mover:
    """What moves stores; each life goes on where the one before was killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._lines = process.stdin, process.stdout
        self._killed = b""
        self.moves: Counter[str] = Counter()

    async def live(self, moves: int, after_s: float) -> None:
        """Move at least so often, then so long, then be killed."""
        self._orders.write(b"\n")
        while moves:
            line = await self._lines.readline()
            assert line, "the mover has ended by itself"
            pid, _, place = line.split()
            self.moves[place.decode()] += 1
            moves -= pid != self._killed  # which may have said more than was listened to
        await asyncio.sleep(after_s)  # any moment of a move
        os.kill(int(pid), signal.SIGKILL)
        self._killed = pid


@asynccontextmanager
async def moving(site: SiteProcess) -> AsyncIterator[Mover]:
    """The mover of a site; it has begun no life yet."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.mover", *STORES),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=site.environment(),
        cwd=MANAGE.parent,
        start_new_session=True,
    )
    try:
        yield Mover(process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with a life that was not ended
        await process.wait()


async def run_under_moves(site: SiteProcess, figure: Figure, history_file: Path) -> None:
    kills, pushes = figure(usually=8, drill=40), figure(usually=600, drill=10_000)
    chance = random.Random(3)

    async def move_and_kill(progress: Progress) -> None:
        for number in range(kills):
            await progress.reach(pushes * number // kills + 10)
            await mover.live(4, chance.uniform(0.0, 0.2))

    plan = Plan(
        urls=(site.http_url,),
        stores=STORES,
        acked_pushes=pushes,
        deadline_s=figure(usually=600, drill=3_600),
    )
    async with moving(site) as mover:
        outcome = await run_workload(plan, faults=move_and_kill, history_file=history_file)

    assert outcome.findings() == []
    assert min(mover.moves["files"], mover.moves["database"]) >= kills
    assert site.manage("verify_store", "--all").endswith("2 stores verified, nothing found\n")


async def test_no_event_is_lost_or_doubled_while_stores_move(
    valkey_server: ValkeyServer, figure: Figure, history_file: Path
) -> None:
    with SiteProcess(environment=ENVIRONMENT, workers=2, redis_url=valkey_server.url) as site:
        await run_under_moves(site, figure, history_file)


@pytest.mark.drill
async def test_no_event_is_lost_or_doubled_while_stores_move_on_postgresql(
    valkey_server: ValkeyServer,
    postgres_server: PostgresServer,
    figure: Figure,
    history_file: Path,
) -> None:
    with SiteProcess(
        environment=ENVIRONMENT,
        workers=2,
        redis_url=valkey_server.url,
        database_url=site_database(postgres_server, "moved_stores"),
    ) as site:
        await run_under_moves(site, figure, history_file)


async def test_a_site_on_files_keeps_all_that_it_acknowledged(
    figure: Figure, history_file: Path
) -> None:
    kills, pushes = figure(usually=1, drill=50), figure(usually=150, drill=10_000)

    with SiteProcess(environment=ENVIRONMENT | {"SYNCSITE_ENGINE": "files"}) as site:
        outcome = await run_under_kills(
            site, kills=kills, pushes=pushes, seed=4, figure=figure, history_file=history_file
        )

        assert outcome.findings() == []
        assert len(list((site.data_directory / "stores").glob("??/*.sqlite3"))) == 2
