"""Locks of bots, when clocks jump, servers differ, and holders sleep too long.

F-17 (a clock jumps), F-18 (two servers' clocks differ), F-19 (a holder wakes up past its ttl),
F-43 (many workers, one lock).
"""

import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.chat_client import ChatClient, create_token
from tests.clients import until
from tests.conftest import Figure
from tests.faults.conftest import ENVIRONMENT
from tests.faults.lock_storm import THREAD, Hold, overlaps, storm
from tests.site_process import SiteProcess

_FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)

needs_faketime = pytest.mark.skipif(
    _FAKETIME is None, reason="libfaketime is not installed: clocks that jump are not tested"
)


class JumpingClock:
    """The wall clock of a process, which a test moves while the process runs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump_s(0)

    def jump_s(self, seconds: int) -> None:
        """Let the clock show so many seconds more, or fewer, than the machine's."""
        self._file.write_text(f"{seconds:+d}s\n")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds between two looks at the file
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> JumpingClock:
    return JumpingClock(tmp_path / "faketime")


@pytest.fixture(params=["sqlite", "postgresql"])
def two_sites(
    request: pytest.FixtureRequest, clock: JumpingClock, tmp_path: Path
) -> Iterator[list[SiteProcess]]:
    """Two processes on one database; the second has the clock that jumps."""
    where: dict[str, object] = {"data_directory": tmp_path / "data"}
    if request.param == "postgresql":
        where = {"database_url": request.getfixturevalue("database_url")}
    (tmp_path / "data").mkdir()
    with ExitStack() as stack:
        sites = [
            SiteProcess(environment=ENVIRONMENT | more, **where)  # type: ignore[arg-type]
            for more in ({}, clock.environment)
        ]
        for site in sites:
            stack.enter_context(closing(site))
            site.start()
        yield sites


@needs_faketime
async def test_no_lock_has_two_holders_when_a_clock_jumps(
    two_sites: list[SiteProcess], clock: JumpingClock, figure: Figure
) -> None:
    token = create_token(two_sites[0])
    rounds = figure(usually=50, drill=2_500)
    holds: list[Hold] = []

    for jump_s in (0, 3_600, -3_600, 30):
        clock.jump_s(jump_s)
        await until(lambda jump_s=jump_s: abs(seconds_ahead(two_sites[1]) - jump_s) < 10)
        found = await storm(two_sites, token, workers=4, rounds=rounds, ttl_ms=100, seed=jump_s)
        assert len(found) >= rounds
        holds += found

    assert overlaps(holds) == []


def seconds_ahead(site: SiteProcess) -> float:
    """How far the wall clock of the site's process is ahead of ours."""
    with urllib.request.urlopen(f"{site.http_url}/healthz") as answer:
        shown = answer.headers["date"]
    return parsedate_to_datetime(shown).timestamp() - time.time()


async def test_no_lock_has_two_holders_among_many_workers(
    site: SiteProcess, figure: Figure
) -> None:
    workers, rounds = figure(usually=16, drill=100), figure(usually=200, drill=10_000)

    holds = await storm(
        [site], create_token(site), workers=workers, rounds=rounds, ttl_ms=200, seed=43
    )

    assert len(holds) >= rounds
    assert overlaps(holds) == []


async def test_who_wakes_up_past_the_ttl_harms_no_successor(
    site: SiteProcess, figure: Figure
) -> None:
    token = create_token(site)
    fences = []
    async with ChatClient(site, token) as sleeper, ChatClient(site, token) as successor:
        for number in range(figure(usually=200, drill=2_000)):
            late = await sleeper.do("acquireLock", threadId=THREAD, ttlMs=5, requestId=f"a{number}")
            lock = await _acquire_when_free(successor, number)

            assert not await sleeper.do(
                "extendLock", threadId=THREAD, token=late["token"], ttlMs=60_000
            )
            released = await sleeper.do("releaseLock", threadId=THREAD, token=late["token"])
            assert not released["released"]
            assert await successor.do(
                "extendLock", threadId=THREAD, token=lock["token"], ttlMs=60_000
            )
            await successor.do("releaseLock", threadId=THREAD, token=lock["token"])
            fences += [late["fence"], lock["fence"]]

    assert fences == sorted(set(fences))


async def _acquire_when_free(client: ChatClient, number: int) -> dict[str, str]:
    attempt = 0
    while True:
        lock = await client.do(
            "acquireLock", threadId=THREAD, ttlMs=60_000, requestId=f"b{number}-{attempt}"
        )
        if lock is not None:
            return dict(lock)
        attempt += 1
