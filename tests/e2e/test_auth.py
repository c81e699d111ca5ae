"""Who may sync: a shared secret, accepted and refused, over each transport."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import SyncProcesses, url_of
from tests.e2e.node_clients import NodeClientError, Transport
from tests.factories import make_events, wire_events
from tests.processes import wait_until
from tests.site_process import SiteProcess

SECRET = "a secret of some length"


@pytest.fixture(scope="module")
def guarded_site() -> Iterator[SiteProcess]:
    environment = {"SYNCSITE_AUTH": "shared-secret", "SYNCSITE_AUTH_SECRET": SECRET}
    with SiteProcess(environment=environment) as site:
        yield site


@pytest.fixture(params=["ws", "http", "rpc"])
def transport(request: pytest.FixtureRequest) -> Transport:
    chosen: Transport = request.param
    return chosen


async def test_who_knows_the_secret_syncs(
    guarded_site: SiteProcess, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    async with sync_processes.first.client(
        url=url_of(guarded_site, transport),
        store_id=store_id,
        transport=transport,
        payload={"authToken": SECRET},
    ) as client:
        await client.push(*wire_events(make_events(1)))

        assert [len(page.events) for page in await client.pull()] == [1]


@pytest.mark.parametrize("transport", ["http", "rpc"])
async def test_who_does_not_is_refused_over_http(
    guarded_site: SiteProcess, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    async with sync_processes.first.client(
        url=guarded_site.http_url,
        store_id=store_id,
        transport=transport,
        payload={"authToken": "another secret"},
    ) as client:
        with pytest.raises(NodeClientError) as refused:
            await client.push(*wire_events(make_events(1)))

    assert refused.value.tag == "UnknownError"


async def test_who_does_not_never_connects_over_websocket(
    guarded_site: SiteProcess, sync_processes: SyncProcesses, store_id: str
) -> None:
    async with sync_processes.first.client(
        url=guarded_site.ws_url,
        store_id=store_id,
        transport="ws",
        payload={"authToken": "another secret"},
    ) as client:
        connected = client.watch_connected()
        at_first = await connected.next()
        await asyncio.to_thread(wait_until, lambda: '" 400' in guarded_site.log, what="a refusal")

        assert not at_first
        assert not any(connected.drain())


async def test_neither_secret_reaches_the_log(
    guarded_site: SiteProcess, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    async with sync_processes.first.client(
        url=url_of(guarded_site, transport),
        store_id=store_id,
        transport=transport,
        payload={"authToken": SECRET, "canary": "yellow-7f3a"},
    ) as client:
        await client.pull()

    assert "yellow-7f3a" not in guarded_site.log
    assert SECRET not in guarded_site.log
