"""The server dies and comes back while clients live-pull; nobody touches them."""

from tests.e2e.conftest import StoreProcesses, SyncProcesses
from tests.e2e.node_clients import note_created
from tests.factories import make_events, wire_events
from tests.site_process import SiteProcess


async def test_live_pulls_catch_up_after_a_kill(
    own_site: SiteProcess, sync_processes: SyncProcesses, store_id: str
) -> None:
    options = {"url": own_site.ws_url, "store_id": store_id, "transport": "ws"}
    process, other = sync_processes
    async with (
        process.client(**options) as writer,
        process.client(**options) as first,
        other.client(**options) as second,
    ):
        live = [first.pull_live(resume=True), second.pull_live(resume=True)]
        await writer.push(*wire_events(make_events(3)))
        for pull in live:
            await pull.until(3)

        own_site.kill()
        own_site.restart()
        async with process.client(**options) as late:
            await late.push(*wire_events(make_events(2, after=3)))

        for pull in live:
            assert [event["seqNum"] for event in await pull.until(5)] == [1, 2, 3, 4, 5]


async def test_apps_go_on_after_a_kill(
    own_site: SiteProcess, store_processes: StoreProcesses, store_id: str
) -> None:
    options = {"url": own_site.ws_url, "store_id": store_id, "transport": "ws"}
    async with (
        store_processes.first.app(client_id="one", **options) as one,
        store_processes.second.app(client_id="other", **options) as other,
    ):
        await one.commit(note_created("1", "before"))
        await other.wait_rows(1)

        own_site.kill()
        await one.commit(note_created("2", "while it was away"))
        own_site.restart()

        assert [note["id"] for note in await other.wait_rows(2)] == ["1", "2"]
        await one.wait_synced()
