"""The clean-up of expired rows runs twice at once and is killed in the middle: F-41."""

import asyncio
import random
import sqlite3
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from tests.chat_client import ChatClient, create_token
from tests.clients import until
from tests.conftest import Figure
from tests.faults.conftest import ENVIRONMENT
from tests.site_process import MANAGE, SiteProcess

HOUR_MS = 3_600_000
ITEMS = 16
ROWS_OF_A_THREAD = ITEMS + 4
EXPIRING = ("heldlock", "cacheentry", "listhead", "queuedentry")
TABLES = (*EXPIRING, "listitem")
NOTHING = [None, [], 0]
BATCH_ROWS = "200"
AT_ONCE = 25


@pytest.fixture(params=["sqlite", "postgresql"])
def either_site(request: pytest.FixtureRequest) -> Iterator[SiteProcess]:
    """One process on each kind of database."""
    url = request.getfixturevalue("database_url") if request.param == "postgresql" else None
    with SiteProcess(environment=ENVIRONMENT, database_url=url) as site:
        yield site


async def test_a_killed_clean_up_takes_nothing_live_and_brings_nothing_back(
    either_site: SiteProcess, figure: Figure
) -> None:
    kills = figure(usually=3, drill=20)
    threads = figure(usually=10_000, drill=100_000) // ROWS_OF_A_THREAD
    old = [f"old {number}" for number in range(threads)]
    live = [f"live {number}" for number in range(50)]
    revived = old[:: threads // 50]
    stop = asyncio.Event()
    chance = random.Random(41)

    async with ChatClient(either_site, create_token(either_site)) as client:
        with closing(connect(either_site)) as database:
            await _store(client, old)
            _expire(database)
            await _store(client, live)
            watch = asyncio.create_task(_watch(client, live, sorted({*old} - {*revived}), stop))
            for number in range(kills):
                goal = _count(database) - chance.randrange(200, threads * 5 // kills)
                with _cleaning(either_site), _cleaning(either_site):
                    await until(lambda goal=goal: _count(database) <= goal)
                for name in revived[number::kills]:
                    await _append(client, name, 0, "again")
            await asyncio.to_thread(either_site.manage, "cleanup_expired")

            assert _count(database) == len(live) * ROWS_OF_A_THREAD + len(revived) * 2
        stop.set()
        assert await watch > 0
        assert [await client.do("getList", key=name) for name in revived] == [[0]] * len(revived)
        for name in live:
            assert await _look(client, name) == [name, list(range(ITEMS)), 1]
            again = {"threadId": name, "ttlMs": 1, "requestId": f"again {name}"}
            assert await client.do("acquireLock", **again) is None


async def _store(client: ChatClient, names: Sequence[str]) -> None:
    """Of each kind something that expires in an hour."""
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        await asyncio.gather(*(work for name in some for work in _rows_of(client, name)))


def _rows_of(client: ChatClient, name: str) -> Iterator[Coroutine[Any, Any, Any]]:
    yield client.do("set", key=name, value=name, ttlMs=HOUR_MS)
    yield client.do("acquireLock", threadId=name, ttlMs=HOUR_MS, requestId=f"lock {name}")
    times = {"enqueuedAt": 0, "expiresAt": HOUR_MS, "requestId": f"enqueue {name}"}
    yield client.do("enqueue", threadId=name, message=name, **times)
    for number in range(ITEMS):
        yield _append(client, name, number, "first")


async def _append(client: ChatClient, name: str, number: int, life: str) -> None:
    request_id = f"{life} {number} {name}"
    await client.do("appendToList", key=name, value=number, ttlMs=HOUR_MS, requestId=request_id)


async def _look(client: ChatClient, name: str) -> list[Any]:
    return await asyncio.gather(
        client.do("get", key=name),
        client.do("getList", key=name),
        client.do("queueDepth", threadId=name),
    )


async def _watch(
    client: ChatClient, live: Sequence[str], old: Sequence[str], stop: asyncio.Event
) -> int:
    """Read what is live and what has expired until told to stop; how often that was."""
    chance = random.Random(14)
    looks = 0
    while not stop.is_set():
        name = chance.choice(live)
        assert await _look(client, name) == [name, list(range(ITEMS)), 1]
        assert await _look(client, chance.choice(old)) == NOTHING
        looks += 1
    return looks


def connect(site: SiteProcess) -> Any:
    """A connection of the test's own to the site's database."""
    url = site.environment().get("DATABASE_URL")
    if url is not None:
        return psycopg.connect(url, autocommit=True)
    file = site.data_directory / "chatstate.sqlite3"
    return sqlite3.connect(file, isolation_level=None, timeout=60)


def _expire(database: Any) -> None:
    for table in EXPIRING:
        database.execute(
            f"UPDATE chatstate_{table} SET expires_at_ms = expires_at_ms - {2 * HOUR_MS}"
        )


def _count(database: Any) -> int:
    counts = " + ".join(f"(SELECT count(*) FROM chatstate_{table})" for table in TABLES)
    return int(database.execute(f"SELECT {counts}").fetchone()[0])


@contextmanager
def _cleaning(site: SiteProcess) -> Iterator[None]:
    """A clean-up, killed with -9 at the end of the block."""
    command = [sys.executable, str(MANAGE), "cleanup_expired", "--batch-size", BATCH_ROWS]
    process = subprocess.Popen(command, env=site.environment(), stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()
