"""Django's own ``runserver``, which daphne's replaces, serves real clients as well."""

import sys

from tests.e2e.conftest import url_of
from tests.e2e.node_clients import NodeSyncClient, Transport
from tests.factories import make_events, wire_events
from tests.site_process import SiteProcess

RUNSERVER = (sys.executable, "manage.py", "runserver", "--noreload", "{host}:{port}")


async def test_a_client_pushes_and_pulls(transport: Transport, store_id: str) -> None:
    with SiteProcess(command=RUNSERVER) as site:
        async with NodeSyncClient.open(
            url=url_of(site, transport), store_id=store_id, transport=transport
        ) as client:
            await client.push(*wire_events(make_events(2)))

            assert [len(page.events) for page in await client.pull()] == [2]
