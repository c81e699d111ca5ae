"""F-12: clients that open a live pull and never read."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from tests.conftest import Figure
from tests.faults.conftest import ENVIRONMENT
from tests.faults.stalled_socket import StalledSocket
from tests.history.checker import check
from tests.history.clients import FinalReader, LiveReader
from tests.history.history import FinalLog, Recorder
from tests.history.wire import Cursor
from tests.history.writers import Writer
from tests.processes import DEADLINE_S, wait_until
from tests.site_process import SiteProcess

BATCH = 20
READERS = 4
MOST_GROWTH_BYTES = 64 * 2**20


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    settings = {"DJANGO_SETTINGS_MODULE": "tests.faults.impatient_settings"}
    with SiteProcess(environment={**ENVIRONMENT, **settings}) as site:
        yield site


async def test_clients_that_never_read_cost_little_and_are_cut(
    site: SiteProcess, figure: Figure, recorder: Recorder
) -> None:
    sockets, events = figure(usually=20, drill=100), figure(usually=2_000, drill=10_000)
    # so large that all events, kept for each socket, would be many times what is allowed
    event_bytes = figure(usually=8_192, drill=1_024)

    async with HealthyClients(site, recorder) as healthy:
        await healthy.push(BATCH, event_bytes)
        before = Footprint(site.pid)
        with ExitStack() as stack:
            for _ in range(sockets):
                stack.enter_context(StalledSocket(site.port, healthy.store))
            stalled = Footprint(site.pid).sockets - before.sockets
            peak_bytes = 0
            for _ in range(events // BATCH):
                await healthy.push(BATCH, event_bytes)
                peak_bytes = max(peak_bytes, Footprint(site.pid).bytes)
            await asyncio.to_thread(_await_end_of_others, site.pid, before)
        log = await healthy.finish()

    assert check(recorder.history, [log]) == []
    assert len(log.entries) == BATCH + events
    assert {pull.outcome for pull in recorder.history.pulls() if pull.invoked.live} == {"final"}
    assert stalled == sockets
    assert peak_bytes - before.bytes <= MOST_GROWTH_BYTES


class HealthyClients:
    """One that pushes and some that read, each over its own connection from first to last."""

    store = "s"

    def __init__(self, site: SiteProcess, recorder: Recorder) -> None:
        client: dict[str, Any] = {
            "urls": (site.http_url,),
            "store": self.store,
            "recorder": recorder,
            "seed": "12",
        }
        self._writer = Writer(
            "w0", batches_per_s=1, most_events=BATCH, acked=int, is_enough=bool, **client
        )
        self._readers = [LiveReader(f"live{number}", **client) for number in range(READERS)]
        self._final = FinalReader("final", **client)
        self._pushed = 0

    async def push(self, events: int, event_bytes: int) -> None:
        """Push a batch, and wait until all readers have it."""
        names = [f"w0-{self._pushed + n}-" for n in range(events)]
        self._pushed += events
        await self._writer.deliver([name.ljust(event_bytes, "x") for name in names])
        await asyncio.gather(*(self._reach_head(reader) for reader in self._readers))

    async def finish(self) -> FinalLog:
        """End the live pulls, which must be complete, and read the log."""
        for reader, task in zip(self._readers, self._reading, strict=True):
            reader.is_over = True
            task.cancel()
        await asyncio.wait(self._reading)
        await self._final.run()
        return self._final.log

    async def __aenter__(self) -> Self:
        await self._writer.catch_up()
        self._reading = [asyncio.create_task(reader.run()) for reader in self._readers]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        for client in (self._writer, *self._readers, self._final):
            await client.close()

    async def _reach_head(self, reader: LiveReader) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await reader.reach(Cursor(self._writer.backend_id or "", self._writer.head))


class Footprint:
    """What a process has at this moment: memory and open sockets."""

    def __init__(self, pid: int) -> None:
        proc = Path("/proc") / str(pid)
        pages = int((proc / "statm").read_text().split()[1])
        self.bytes = pages * os.sysconf("SC_PAGE_SIZE")
        self.sockets = sum(_is_socket(entry) for entry in (proc / "fd").iterdir())


def _is_socket(entry: Path) -> bool:
    try:
        return os.readlink(entry).startswith("socket:")
    except FileNotFoundError:  # closed while we look
        return False


def _await_end_of_others(pid: int, before: Footprint) -> None:
    wait_until(
        lambda: Footprint(pid).sockets <= before.sockets,
        what="the stalled sockets cut",
        deadline_s=3 * DEADLINE_S,
    )
