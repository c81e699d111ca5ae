"""F-12: clients that open a live pull and never read, or never say that they did."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.conftest import Figure
from tests.faults.conftest import ENVIRONMENT
from tests.faults.crowd import Crowd
from tests.faults.stalled_socket import StalledSocket
from tests.faults.tuned_settings import tuned
from tests.history.checker import check
from tests.history.history import Recorder
from tests.history.wire import pull_payload, request, sync_url
from tests.processes import DEADLINE_S, wait_until
from tests.site_process import SiteProcess

BATCH = 20
READERS = 4
TRY_AGAIN_LATER = 1013
MOST_GROWTH_BYTES = 64 * 2**20


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    """A site that soon gives up who does not read."""
    with SiteProcess(environment={**ENVIRONMENT, **tuned(ack_timeout_s=10.0)}) as site:
        yield site


async def test_clients_that_never_read_cost_little_and_are_cut(
    site: SiteProcess, figure: Figure, recorder: Recorder
) -> None:
    sockets, events = figure(usually=20, drill=100), figure(usually=2_000, drill=10_000)
    # so large that all events, kept for each socket, would be many times what is allowed
    event_bytes = figure(usually=8_192, drill=1_024)

    async with Crowd(site.http_url, recorder=recorder, readers=READERS) as healthy:
        await healthy.push(BATCH, name_bytes=event_bytes)
        await healthy.all_have_read()
        before = Footprint(site.pid)
        deaf = asyncio.create_task(_code_for_one_that_acknowledges_nothing(site, healthy.store))
        with ExitStack() as stack:
            for _ in range(sockets):
                stack.enter_context(StalledSocket(site.port, healthy.store))
            stalled = Footprint(site.pid).sockets - before.sockets
            peak_bytes = 0
            for _ in range(events // BATCH):
                await healthy.push(BATCH, name_bytes=event_bytes)
                await healthy.all_have_read()
                peak_bytes = max(peak_bytes, Footprint(site.pid).bytes)
            code = await deaf
            await asyncio.to_thread(_await_end_of_others, site.pid, before)
        log = await healthy.finish()

    assert check(recorder.history, [log]) == []
    assert len(log.entries) == BATCH + events
    assert {pull.outcome for pull in recorder.history.pulls() if pull.invoked.live} == {"final"}
    assert stalled == sockets
    assert code == TRY_AGAIN_LATER
    assert peak_bytes - before.bytes <= MOST_GROWTH_BYTES


async def _code_for_one_that_acknowledges_nothing(site: SiteProcess, store_id: str) -> int | None:
    live = {**pull_payload(store_id, None), "live": True}
    async with connect(sync_url(site.ws_url, store_id, "ws")) as socket:
        await socket.send(json.dumps(request("1", "SyncWsRpc.Pull", live)))
        with suppress(ConnectionClosed):
            async with asyncio.timeout(DEADLINE_S):
                while True:  # it reads, which is not enough
                    await socket.recv()
        return socket.close_code


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
