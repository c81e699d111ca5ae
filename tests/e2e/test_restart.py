"""The server dies and comes back while clients live-pull; nobody touches them."""

from tests.e2e.node_clients import NodeStoreApp, NodeSyncProcess, note_created
from tests.factories import make_events, wire_events
from tests.site_process import SiteProcess


async def test_live_pulls_catch_up_after_a_kill(own_site: SiteProcess, store_id: str) -> None:
    options = {"url": own_site.ws_url, "store_id": store_id, "transport": "ws"}
    async with NodeSyncProcess() as process:
        writer, first, second = [await process.connect(**options) for _ in range(3)]
        live = [first.pull_live(resume=True), second.pull_live(resume=True)]
        await writer.push(*wire_events(make_events(3)))
        for pull in live:
            await pull.until(3)

        own_site.kill()
        own_site.restart()
        late = await process.connect(**options)
        await late.push(*wire_events(make_events(2, after=3)))

        for pull in live:
            assert [event["seqNum"] for event in await pull.until(5)] == [1, 2, 3, 4, 5]


async def test_apps_go_on_after_a_kill(own_site: SiteProcess, store_id: str) -> None:
    url = own_site.ws_url
    one = NodeStoreApp(url=url, store_id=store_id, transport="ws", client_id="one")
    other = NodeStoreApp(url=url, store_id=store_id, transport="ws", client_id="other")
    async with one, other:
        await one.commit(note_created("1", "before"))
        await other.wait_rows(1)

        own_site.kill()
        await one.commit(note_created("2", "while it was away"))
        own_site.restart()

        assert [note["id"] for note in await other.wait_rows(2)] == ["1", "2"]
        await one.wait_synced()
