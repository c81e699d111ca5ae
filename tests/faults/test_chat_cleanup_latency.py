"""Live traffic while a clean-up removes a million expired rows: its p99 at most doubles.

A drill alone may compare times: what it is held to is a figure, and both are taken on one load.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.chat_client import ChatClient, create_token
from tests.faults.test_chat_cleanup import connect
from tests.site_process import MANAGE, SiteProcess

pytestmark = pytest.mark.drill

ROWS = 1_000_000
"""More than are removed within ``LOOK_S``, so that all of it is under the clean-up."""
LOOK_S = 20.0
WARM_UP_S = 5.0
BOTS = 8
"""Messages under way at a time."""

_NUMBERS = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s LIMIT {rows})",
    "postgresql": "WITH s(n) AS (SELECT generate_series(1, {rows}))",
}
_DIGEST = {
    "sqlite": "CAST(printf('%032d', n) AS blob)",
    "postgresql": "convert_to(lpad(n::text, 32, '0'), 'UTF8')",
}
_INSERT = """
    {numbers} INSERT INTO chatstate_cacheentry
        (namespace, key_digest, key, value, written_at_ms, expires_at_ms)
    SELECT 'bot', {digest}, {digest}, '"{value}"', 1, n FROM s
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def either_site(request: pytest.FixtureRequest) -> Iterator[SiteProcess]:
    """One process on each kind of database, as it is served."""
    url = request.getfixturevalue("database_url") if request.param == "postgresql" else None
    with SiteProcess(database_url=url) as site:
        yield site


async def test_p99_at_most_doubles_while_a_million_rows_are_removed(
    either_site: SiteProcess, record_property: Callable[[str, object], None]
) -> None:
    vendor = "postgresql" if "DATABASE_URL" in either_site.environment() else "sqlite"
    with closing(connect(either_site)) as database:
        _insert(database, vendor)
        async with ChatClient(either_site, create_token(either_site)) as client:
            await _traffic(client, WARM_UP_S)
            before = await _traffic(client, LOOK_S)
            during = await _while_cleaning(either_site, client)
            left = _count(database)
            after = await _traffic(client, LOOK_S)
    quiet_ms, busy_ms = max(_p99_ms(before), _p99_ms(after)), _p99_ms(during)
    record_property(f"{vendor} p99 ms", {"quiet": quiet_ms, "during the clean-up": busy_ms})
    assert 0 < left < ROWS
    assert busy_ms <= 2 * quiet_ms


async def _while_cleaning(site: SiteProcess, client: ChatClient) -> list[float]:
    cleaning = await asyncio.create_subprocess_exec(
        *(sys.executable, str(MANAGE), "cleanup_expired"), env=site.environment()
    )
    try:
        return await _traffic(client, LOOK_S)
    finally:
        if cleaning.returncode is None:
            cleaning.kill()
        await cleaning.wait()


async def _traffic(client: ChatClient, seconds: float) -> list[float]:
    """The seconds that each light message took: four operations, one after the other."""
    end = time.monotonic() + seconds
    took: list[float] = []

    async def handle_messages(bot: int) -> None:
        number = 0
        while time.monotonic() < end:
            name, began = f"{bot} {end} {number}", time.perf_counter()
            await client.do("setIfNotExists", key=name, value=1, ttlMs=600_000, requestId=name)
            lock = {"threadId": name, "ttlMs": 30_000, "requestId": f"lock {name}"}
            held = await client.do("acquireLock", **lock)
            await client.do("isSubscribed", threadId=name)
            await client.do("releaseLock", threadId=name, token=held["token"])
            took.append(time.perf_counter() - began)
            number += 1

    await asyncio.gather(*map(handle_messages, range(BOTS)))
    return took


def _p99_ms(took: list[float]) -> float:
    return round(sorted(took)[len(took) * 99 // 100] * 1000, 2)


def _insert(database: Any, vendor: str) -> None:
    numbers = _NUMBERS[vendor].format(rows=ROWS)
    database.execute(_INSERT.format(numbers=numbers, digest=_DIGEST[vendor], value="x" * 100))


def _count(database: Any) -> int:
    counted = "SELECT count(*) FROM chatstate_cacheentry WHERE written_at_ms = 1"
    return int(database.execute(counted).fetchone()[0])
