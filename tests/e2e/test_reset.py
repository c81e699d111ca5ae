"""A store gets a new history: every client hears of it, and recovers."""

import pytest

from tests.e2e.conftest import StoreProcesses, SyncProcesses, url_of
from tests.e2e.node_clients import NodeClientError, Transport, note_created
from tests.factories import make_events, wire_events
from tests.site_process import SiteProcess


async def test_a_reset_ends_live_pulls_and_refuses_pushes_on_the_old_history(
    site: SiteProcess, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    options = {"url": url_of(site, transport), "store_id": store_id, "transport": transport}
    first, second = sync_processes
    async with first.client(**options) as reader, second.client(**options) as writer:
        await writer.push(*wire_events(make_events(2)))
        await writer.pull()
        live = reader.pull_live()
        await live.until(2)
        old = await reader.backend_id()

        site.manage("reset_store", store_id, "--yes")

        with pytest.raises(NodeClientError) as ended:
            await live.ended()
        with pytest.raises(NodeClientError) as refused:
            await writer.push(*wire_events(make_events(1, after=2)))
    assert ended.value.tag == refused.value.tag == "BackendIdMismatchError"
    assert ended.value.fields["received"] == old


async def test_an_app_starts_over_and_syncs_again(
    site: SiteProcess, store_processes: StoreProcesses, transport: Transport, store_id: str
) -> None:
    async with store_processes.first.app(
        url=url_of(site, transport),
        store_id=store_id,
        transport=transport,
        client_id="app",
        on_backend_id_mismatch="reset",
    ) as app:
        await app.commit(note_created("1", "before"))
        await app.wait_synced()

        site.manage("reset_store", store_id, "--yes")
        cause = await app.wait_shutdown()
        await app.open()
        await app.commit(note_created("2", "after"))
        await app.wait_synced()

        assert cause["reason"] == "backend-id-mismatch"
        assert await app.query() == [{"id": "2", "text": "after"}]
