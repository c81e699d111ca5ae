"""Django's own ``runserver``, which daphne's replaces, serves real clients as well."""

import sys

from tests.e2e.conftest import TRANSPORTS, SyncProcesses, url_of
from tests.factories import make_events, wire_events
from tests.site_process import SiteProcess

RUNSERVER = (sys.executable, "manage.py", "runserver", "--noreload", "{host}:{port}")


async def test_a_client_pushes_and_pulls(sync_processes: SyncProcesses, store_id: str) -> None:
    with SiteProcess(command=RUNSERVER) as site:
        for number, transport in enumerate(TRANSPORTS):
            async with sync_processes.first.client(
                url=url_of(site, transport), store_id=store_id, transport=transport
            ) as client:
                await client.push(*wire_events(make_events(2, after=2 * number)))

                assert [len(page.events) for page in await client.pull()] == [2 * number + 2]
