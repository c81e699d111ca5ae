"""``RemoteStateAdapter`` and a served site that is killed under it."""

import asyncio

from chatstate.adapters import RemoteStateAdapter
from tests.site_process import SiteProcess

ITEMS = 200
KILL_AFTER = 50


async def test_a_server_that_is_killed_loses_nothing_and_does_nothing_twice() -> None:
    with SiteProcess() as site:
        token = site.manage("create_chat_token", "bot").strip()
        adapter = RemoteStateAdapter(site.http_url, token)
        await adapter.connect()
        under_way = asyncio.Event()

        async def write() -> None:
            for number in range(ITEMS):
                await adapter.append_to_list("list", number)
                if number == KILL_AFTER:
                    under_way.set()

        writing = asyncio.ensure_future(write())
        await under_way.wait()
        site.kill()
        await asyncio.to_thread(site.start)
        await writing

        assert await adapter.get_list("list") == list(range(ITEMS))
        await adapter.disconnect()
