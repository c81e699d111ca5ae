"""A store gets a new history: every client hears of it, and recovers."""

import pytest

from tests.e2e.conftest import url_of
from tests.e2e.node_clients import (
    NodeClientError,
    NodeStoreApp,
    NodeSyncClient,
    Transport,
    note_created,
)
from tests.factories import make_events, wire_events
from tests.site_process import SiteProcess


async def test_a_live_pull_ends_when_its_store_is_reset(
    site: SiteProcess, transport: Transport, store_id: str
) -> None:
    options = {"url": url_of(site, transport), "store_id": store_id, "transport": transport}
    async with NodeSyncClient.open(**options) as client:
        await client.push(*wire_events(make_events(2)))
        live = client.pull_live()
        await live.until(2)
        old = await client.backend_id()

        site.manage("reset_store", store_id, "--yes")

        with pytest.raises(NodeClientError) as ended:
            await live.ended()
    assert ended.value.tag == "BackendIdMismatchError"
    assert ended.value.fields["received"] == old


async def test_a_push_on_the_old_history_is_refused(
    site: SiteProcess, transport: Transport, store_id: str
) -> None:
    options = {"url": url_of(site, transport), "store_id": store_id, "transport": transport}
    async with NodeSyncClient.open(**options) as client:
        await client.push(*wire_events(make_events(2)))
        await client.pull()

        site.manage("reset_store", store_id, "--yes")

        with pytest.raises(NodeClientError) as refused:
            await client.push(*wire_events(make_events(1, after=2)))
    assert refused.value.tag == "BackendIdMismatchError"


async def test_an_app_starts_over_and_syncs_again(
    site: SiteProcess, transport: Transport, store_id: str
) -> None:
    app = NodeStoreApp(
        url=url_of(site, transport),
        store_id=store_id,
        transport=transport,
        client_id="app",
        on_backend_id_mismatch="reset",
    )
    async with app:
        await app.commit(note_created("1", "before"))
        await app.wait_synced()

        site.manage("reset_store", store_id, "--yes")
        cause = await app.wait_shutdown()
        await app.open()
        await app.commit(note_created("2", "after"))
        await app.wait_synced()

        assert cause["reason"] == "backend-id-mismatch"
        assert await app.query() == [{"id": "2", "text": "after"}]
