"""F-04, F-07, F-08: PostgreSQL, or the bus between the servers, dies or misbehaves under load."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.conftest import Figure
from tests.faults.conftest import StartSites
from tests.faults.tuned_settings import tuned
from tests.history.workload import Plan, Progress, run_workload
from tests.processes import DEADLINE_S
from tests.servers import PostgresServer, ValkeyServer

BUS_FAULTS = (
    "FLUSHALL",
    "CLIENT KILL TYPE pubsub",
    "CLIENT KILL TYPE normal",
    "CLIENT PAUSE 3000",
    "CONFIG SET maxmemory 1mb",
)


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """One that may be killed."""
    with PostgresServer() as server:
        yield server


async def test_the_servers_outlive_their_database(
    start_sites: StartSites, postgres_server: PostgresServer, figure: Figure, history_file: Path
) -> None:
    kills, pushes = figure(usually=3, drill=20), figure(usually=500, drill=5_000)
    # a busy machine may be longer about its recovery than an HTTP client usually waits
    sites = start_sites(2, environment=tuned(retry_budget_s=DEADLINE_S))
    pids = [site.pid for site in sites]

    async def kill_the_database(progress: Progress) -> None:
        for number in range(kills):
            await progress.reach(pushes * (number + 1) // (kills + 1))
            await asyncio.to_thread(postgres_server.kill)
            await asyncio.to_thread(postgres_server.start)

    plan = Plan(
        urls=tuple(site.http_url for site in sites),
        acked_pushes=pushes,
        deadline_s=figure(usually=600, drill=3_600),
    )
    outcome = await run_workload(plan, faults=kill_the_database, history_file=history_file)

    counts = outcome.counts()
    assert outcome.findings() == []
    assert counts["push fail UnknownError"] + counts["push info"] > 0
    assert counts["pull fail UnknownError"] + counts["live pull fail UnknownError"] == 0
    assert [site.pid for site in sites if site.running] == pids


async def test_pushes_do_not_care_what_becomes_of_the_bus(
    start_sites: StartSites, valkey_server: ValkeyServer, figure: Figure, history_file: Path
) -> None:
    pushes = figure(usually=500, drill=5_000)
    sites = start_sites(2)

    async def vex_the_bus(progress: Progress) -> None:
        for number, fault in enumerate(BUS_FAULTS):
            await progress.reach(pushes * number // (len(BUS_FAULTS) + 1))
            await asyncio.to_thread(_command, valkey_server, fault)
        await progress.reach(pushes * len(BUS_FAULTS) // (len(BUS_FAULTS) + 1))
        await asyncio.to_thread(valkey_server.kill)
        await progress.reach(progress.acked + 20)
        await asyncio.to_thread(valkey_server.start)

    plan = Plan(urls=tuple(site.http_url for site in sites), acked_pushes=pushes)
    outcome = await run_workload(plan, faults=vex_the_bus, history_file=history_file)

    happened = {what for what in outcome.counts() if what.startswith(("push", "live"))}
    assert outcome.findings() == []
    assert happened == {"push ok", "push fail ServerAheadError", "live pull final"}


def _command(server: ValkeyServer, command: str) -> None:
    with Redis.from_url(server.url) as client:
        client.execute_command(command)
