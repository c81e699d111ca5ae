"""Two unmodified clients on one store, over each transport, on each kind of site."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.e2e.conftest import SyncProcesses, url_of
from tests.e2e.node_clients import NodeClientError, NodeSyncClient, Transport
from tests.factories import make_events, wire_events
from tests.site_process import SiteProcess

EVERYTHING = 10_000


class Pair(NamedTuple):
    """Two clients of one store, in processes of their own."""

    first: NodeSyncClient
    second: NodeSyncClient


@pytest_asyncio.fixture(loop_scope="session")
async def pair(
    site: SiteProcess, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> AsyncIterator[Pair]:
    options = {"url": url_of(site, transport), "store_id": store_id, "transport": transport}
    first, second = sync_processes
    async with first.client(**options) as one, second.client(**options) as other:
        yield Pair(one, other)


async def test_each_sees_the_others_events_live(pair: Pair) -> None:
    seen_by_first = pair.first.pull_live()
    seen_by_second = pair.second.pull_live()
    await seen_by_first.page()
    await seen_by_second.page()

    await pair.first.push(*wire_events(make_events(3, client_id="first")))
    await seen_by_second.until(3)
    await pair.second.push(*wire_events(make_events(2, after=3, client_id="second")))

    expected = [*make_events(3, client_id="first"), *make_events(2, after=3, client_id="second")]
    assert await seen_by_first.until(5) == wire_events(expected)
    assert await seen_by_second.until(5) == wire_events(expected)


async def test_ten_thousand_events_are_caught_up_in_order(pair: Pair) -> None:
    everything = wire_events(make_events(EVERYTHING))
    for start in range(0, EVERYTHING, 1_000):
        await pair.first.push(*everything[start : start + 1_000])

    pages = await pair.second.pull()

    assert [event for page in pages for event in page.events] == everything
    assert pages[0].page_info == {"_tag": "MoreKnown", "remaining": EVERYTHING - 100}
    assert pages[-1].page_info == {"_tag": "NoMore"}


async def test_a_pull_goes_on_behind_its_cursor(pair: Pair) -> None:
    await pair.first.push(*wire_events(make_events(4)))
    await pair.second.pull()

    pages = await pair.second.pull(cursor=2)

    assert [event["seqNum"] for page in pages for event in page.events] == [3, 4]


async def test_a_late_push_is_told_the_head(pair: Pair) -> None:
    await pair.first.push(*wire_events(make_events(3)))

    with pytest.raises(NodeClientError) as refused:
        await pair.second.push(*wire_events(make_events(1)))

    assert refused.value.tag == "ServerAheadError"
    assert refused.value.fields == {"minimumExpectedNum": 3, "providedNum": 0}


async def test_both_learn_the_same_backend_id(pair: Pair) -> None:
    await pair.first.pull()
    await pair.second.pull()

    assert await pair.first.backend_id() == await pair.second.backend_id()


async def test_args_arrive_as_they_were_sent(pair: Pair) -> None:
    args = {
        "text": "Grüße 👋🏽 \u0000 \u2028 \ud83d </script>",
        "numbers": [0.1, 1e21, 5e-324, None],
    }
    event = {**wire_events(make_events(1))[0], "args": args}
    await pair.first.push(event)

    pages = await pair.second.pull()

    assert pages[0].events == [event]


async def test_a_ping_is_answered(
    site: SiteProcess, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    async with sync_processes.first.client(
        url=url_of(site, transport),
        store_id=store_id,
        transport=transport,
        ping_interval_ms=1_000,  # the ping waits for the client's next own one
    ) as client:
        await client.wait_connected()

        assert await client.ping()
