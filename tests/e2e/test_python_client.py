"""The Python client and LiveStore's own, unmodified, on one store of each kind of site."""

import asyncio
from contextlib import aclosing

import pytest

from livesync.client import AsyncClient, Cursor, Draft
from tests.clients import DEADLINE_S
from tests.e2e.conftest import SyncProcesses, url_of
from tests.e2e.node_clients import NodeClientError, Transport
from tests.factories import make_event, wire_events
from tests.site_process import SiteProcess

ARGS = {"text": "Grüße 👋🏽 \u0000 \u2028 \ud83d </script>", "numbers": [0.1, 1e21, None]}


async def test_each_sees_the_others_events_live(
    site: SiteProcess, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    url = url_of(site, transport)
    async with (
        asyncio.timeout(DEADLINE_S),
        sync_processes.first.client(url=url, store_id=store_id, transport=transport) as node,
        AsyncClient(store_id, url, client_id="python", poll_interval_s=0.05) as client,
        aclosing(client.live()) as live,
    ):
        seen_by_node = node.pull_live()
        await client.push([Draft("noted", ARGS), Draft("emptied")])
        first, second = await seen_by_node.until(2)

        await node.push({**wire_events([make_event(3)])[0], "args": ARGS})
        pulled = [await anext(live) for _ in range(3)]

        assert (first["args"], first["clientId"], "args" in second) == (ARGS, "python", False)
        assert [event.seq_num for event in pulled] == [1, 2, 3]
        assert pulled[0].parsed_args == pulled[2].parsed_args == ARGS
        assert pulled[2].cursor == Cursor(await node.backend_id() or "", 3)
        with pytest.raises(NodeClientError, match="ServerAheadError"):
            await node.push(*wire_events([make_event(1)]))
