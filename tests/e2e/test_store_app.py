"""Whole LiveStore apps, each in a process of its own, on one store."""

from tests.e2e.conftest import StoreProcesses, url_of
from tests.e2e.node_clients import Transport, note_created, note_edited
from tests.site_process import SiteProcess

ROUNDS = 5


async def test_what_one_app_commits_the_query_of_another_shows(
    site: SiteProcess, store_processes: StoreProcesses, transport: Transport, store_id: str
) -> None:
    options = {"url": url_of(site, transport), "store_id": store_id, "transport": transport}
    async with (
        store_processes.first.app(client_id="one", **options) as one,
        store_processes.second.app(client_id="other", **options) as other,
    ):
        await one.commit(note_created("1", "milk"), note_edited("1", "oat milk"))
        await one.commit(note_created("2", "bread"))

        notes = await other.wait_rows(2)

    assert notes == [{"id": "1", "text": "oat milk"}, {"id": "2", "text": "bread"}]


async def test_apps_that_commit_at_once_rebase_and_agree(
    site: SiteProcess, store_processes: StoreProcesses, transport: Transport, store_id: str
) -> None:
    options = {"url": url_of(site, transport), "store_id": store_id, "transport": transport}
    async with (
        store_processes.first.app(client_id="one", **options) as one,
        store_processes.second.app(client_id="other", **options) as other,
    ):
        for number in range(1, ROUNDS + 1):
            await one.commit(note_created(f"one-{number}", "from one"))
            await other.commit(note_created(f"other-{number}", "from the other"))
            # the client itself pushes some events twice when commits never pause; not ours to test
            await one.wait_rows(2 * number)
            await other.wait_rows(2 * number)

        assert await other.query() == await one.query()
        await one.wait_synced()
        await other.wait_synced()
