"""The unmodified ``makeDoRpcSync`` through our stub: push, pull, live, and whoever restarts."""

import asyncio
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import StoreProcesses, SyncProcesses
from tests.e2e.node_clients import LivePull, NodeClientError, note_created
from tests.e2e.node_clients.own_packages import RPC_PACKAGE, compiled_tests, run
from tests.factories import make_events, wire_events
from tests.processes import wait_until
from tests.site_process import SiteProcess

METRICS_TOKEN = "long enough for a token of metrics"


@pytest.fixture(scope="module")
def rpc_site() -> Iterator[SiteProcess]:
    """A site on the embedded default that these tests share, and may kill and restart."""
    with SiteProcess(environment={"SYNCSITE_METRICS_TOKEN": METRICS_TOKEN}) as site:
        yield site


def live_pulls(site: SiteProcess) -> int:
    """Open live pulls, as the site counts them."""
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    asked = urllib.request.Request(f"{site.http_url}/metrics", headers=headers)
    with urllib.request.urlopen(asked) as answer:
        found = re.search(r"^livesync_live_pulls (\S+)$", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def numbers(events: list[dict[str, int]]) -> list[int]:
    return [event["seqNum"] for event in events]


async def test_what_is_pushed_is_pulled_and_heard_until_a_reset(
    site: SiteProcess, sync_processes: SyncProcesses, store_id: str
) -> None:
    options = {"url": site.http_url, "store_id": store_id, "transport": "rpc"}
    async with (
        sync_processes.first.client(**options) as first,
        sync_processes.second.client(**options) as second,
    ):
        await first.push(*wire_events(make_events(250)))
        live = second.pull_live()
        await live.until(250)
        await second.push(*wire_events(make_events(2, after=250)))

        assert numbers(await live.until(252)) == list(range(1, 253))
        pages = await first.pull()
        assert [event for page in pages for event in page.events] == wire_events(make_events(252))
        assert await first.ping()
        with pytest.raises(NodeClientError) as refused:
            await first.push(*wire_events(make_events(1)))
        assert refused.value.fields == {"minimumExpectedNum": 252, "providedNum": 0}

        site.manage("reset_store", store_id, "--yes")

        with pytest.raises(NodeClientError) as ended:
            await live.ended()
        assert ended.value.tag == "BackendIdMismatchError"


async def test_live_pulls_survive_a_kill_of_the_server(
    rpc_site: SiteProcess, sync_processes: SyncProcesses, store_id: str
) -> None:
    options = {"url": rpc_site.http_url, "store_id": store_id, "transport": "rpc"}
    process, other = sync_processes
    async with (
        process.client(**options) as writer,
        process.client(**options) as first,
        other.client(**options) as second,
        process.client(**options, callback=True) as third,
        other.client(**options, callback=True) as fourth,
    ):
        await writer.push(*wire_events(make_events(2)))
        live = [reader.pull_live() for reader in (first, second, third, fourth)]
        for pull in live:
            await pull.until(2)
        for after in range(2, 12):
            await writer.push(*wire_events(make_events(1, after=after)))
        await reach(live, 12)

        rpc_site.kill()
        held = asyncio.create_task(writer.push(*wire_events(make_events(1, after=12))))
        rpc_site.restart()
        await held
        await writer.push(*wire_events(make_events(150, after=13)))

        await reach(live, 163)


async def reach(live: list[LivePull], head: int) -> None:
    """Wait until every live pull has seen the events up to ``head``, each once and in order."""
    for pull in live:
        assert numbers(await pull.until(head)) == list(range(1, head + 1))


async def test_who_stops_pulling_is_forgotten(
    rpc_site: SiteProcess, sync_processes: SyncProcesses, store_id: str
) -> None:
    before = live_pulls(rpc_site)
    async with sync_processes.first.client(
        url=rpc_site.http_url, store_id=store_id, transport="rpc"
    ) as client:
        live = [client.pull_live() for _ in range(3)]
        for pull in live:
            await pull.page()
        await asyncio.to_thread(
            wait_until, lambda: live_pulls(rpc_site) == before + 3, what="three live pulls"
        )

        for pull in live:
            await pull.stop()

        await asyncio.to_thread(
            wait_until, lambda: live_pulls(rpc_site) == before, what="the end of them"
        )


async def test_an_app_that_restarts_goes_on_where_it_was(
    rpc_site: SiteProcess, store_processes: StoreProcesses, store_id: str, tmp_path: Path
) -> None:
    options = {"url": rpc_site.http_url, "store_id": store_id, "transport": "rpc"}
    other_options = {**options, "client_id": "other", "directory": tmp_path}
    async with store_processes.first.app(client_id="one", **options) as one:
        async with store_processes.second.app(**other_options) as other:
            await one.commit(note_created("1", "before"))
            await other.wait_rows(1)
        await one.commit(note_created("2", "meanwhile"))
        await one.wait_synced()
        async with store_processes.second.app(**other_options) as other:
            await other.wait_rows(2)
            await one.commit(note_created("3", "after"))
            await other.commit(note_created("4", "after"))
            notes = await other.wait_rows(4)
            await other.wait_synced()

        assert await one.wait_rows(4) == notes


def test_the_package_passes_its_unit_tests() -> None:
    with compiled_tests(RPC_PACKAGE) as directory:
        run(RPC_PACKAGE, "node", "--test", *map(str, directory.glob("*.test.js")))
