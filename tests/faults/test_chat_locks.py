"""Locks of bots, when clocks jump, servers differ, and holders sleep too long.

F-17 (a clock jumps), F-18 (two servers' clocks differ), F-19 (a holder wakes up past its ttl),
F-43 (many workers, one lock).
"""

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, closing
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.chat_client import ChatClient, create_token
from tests.clients import until
from tests.conftest import Figure
from tests.e2e.node_clients import Command, NodeProcess
from tests.e2e.node_clients.own_packages import ensure_own_packages
from tests.faults.conftest import ENVIRONMENT
from tests.faults.lock_storm import THREAD, Hold, overlaps, storm
from tests.faults.test_chat_cleanup import connect
from tests.site_process import SiteProcess

_FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)

needs_faketime = pytest.mark.skipif(
    _FAKETIME is None, reason="libfaketime is not installed: clocks that jump are not tested"
)


ERROR_MS = 50
"""How far the database's clock may be off for any of its servers."""


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
    writes = await write_in_turn(two_sites, token, "before")

    for jump_s in (0, 3_600, -3_600, 30):
        clock.jump_s(jump_s)
        await until(lambda jump_s=jump_s: abs(seconds_ahead(two_sites[1]) - jump_s) < 10)
        found = await storm(two_sites, token, workers=4, rounds=rounds, ttl_ms=100, seed=jump_s)
        assert len(found) >= rounds
        holds += found
        writes += await write_in_turn(two_sites, token, f"{jump_s}")

    assert overlaps(holds) == []
    assert off_by_more_than(ERROR_MS, writes, instants_of(two_sites[0])) == []


class Write(NamedTuple):
    """Between which instants something was stored, in milliseconds of the machine's own counter."""

    since_ms: float
    until_ms: float


async def write_in_turn(sites: Sequence[SiteProcess], token: str, name: str) -> list[Write]:
    """Store something by one server and the other, again and again, one after the other."""
    writes = []
    async with ChatClient(sites[0], token) as one, ChatClient(sites[1], token) as other:
        for number in range(10):
            since_ms = time.monotonic() * 1_000
            await (one, other)[number % 2].do("set", key=f"{name} {number}", value=number)
            writes.append(Write(since_ms, time.monotonic() * 1_000))
    return writes


def instants_of(site: SiteProcess) -> list[int]:
    """When everything was stored by the database's clock, in the order in which that was."""
    with closing(connect(site)) as database:
        rows = database.execute("SELECT written_at_ms FROM chatstate_cacheentry ORDER BY id")
        return [instant_ms for (instant_ms,) in rows.fetchall()]


def off_by_more_than(
    error_ms: int, writes: Sequence[Write], instants: Sequence[int]
) -> list[tuple[float, int, float]]:
    """Where the clock did not show what has passed between a write and the next.

    Each time with the least that can have passed, what the clock showed, and the most.
    """
    assert len(writes) == len(instants)
    passed = [
        (after.since_ms - before.until_ms, shown, after.until_ms - before.since_ms)
        for (before, after), shown in zip(
            pairwise(writes), (b - a for a, b in pairwise(instants)), strict=True
        )
    ]
    return [each for each in passed if not each[0] - error_ms <= each[1] <= each[2] + error_ms]


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
    site: SiteProcess, holder: NodeProcess, figure: Figure
) -> None:
    token = create_token(site)
    fences = []
    options = {"url": site.http_url, "token": token}
    await holder.call("make", name="bot", package="chat-state-django", options=options)
    await _call(holder, "connect")

    async with ChatClient(site, token) as successor:
        for number in range(figure(usually=200, drill=2_000)):
            late = await _acquired_for(5, holder)
            with holder.asleep():
                extension = _begin(holder, "extendLock", late["lock"], 60_000)
                release = _begin(holder, "releaseLock", late["lock"])
                lock = await _acquire_when_free(successor, number)
                await asyncio.sleep(0.005)  # twice its ttl in all

            assert await extension.value() is False
            await release.value()
            assert await successor.do(
                "extendLock", threadId=THREAD, token=lock["token"], ttlMs=60_000
            )
            await successor.do("releaseLock", threadId=THREAD, token=lock["token"])
            fences += [late["fence"], lock["fence"]]

    assert fences == sorted(set(fences))


@pytest.fixture
async def holder() -> AsyncIterator[NodeProcess]:
    """A process with the npm adapter in it, which a test may stop."""
    await asyncio.to_thread(ensure_own_packages)
    async with NodeProcess("chat_state.mjs") as process:
        yield process


def _begin(holder: NodeProcess, method: str, *arguments: Any) -> Command:
    return holder.begin("call", name="bot", method=method, args=arguments)


async def _acquired_for(ttl_ms: int, holder: NodeProcess) -> dict[str, Any]:
    # a busy machine may take that long for the answer: then the adapter asks once more
    while (lock := await _call(holder, "acquireFencedLock", THREAD, ttl_ms)) is None:
        pass
    return dict(lock)


async def _call(holder: NodeProcess, method: str, *arguments: Any) -> Any:
    return await _begin(holder, method, *arguments).value()


async def _acquire_when_free(client: ChatClient, number: int) -> dict[str, str]:
    attempt = 0
    while True:
        lock = await client.do(
            "acquireLock", threadId=THREAD, ttlMs=60_000, requestId=f"b{number}-{attempt}"
        )
        if lock is not None:
            return dict(lock)
        attempt += 1
