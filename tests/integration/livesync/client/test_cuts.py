"""The link is cut at the worst moments: nothing is doubled, nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from livesync.client import AsyncClient
from livesync.client.calls import next_request_id
from tests.clients import DEADLINE_S, until
from tests.conftest import Figure
from tests.cut_link import Cut, CutLink
from tests.integration.livesync.client.conftest import POLL_INTERVAL_S
from tests.processes import LOOPBACK
from tests.site_process import SiteProcess

SCHEMES = ("ws", "http")


@pytest.fixture(autouse=True)
def _readable_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mask with zeros, so that the link sees what a WebSocket client sends."""
    monkeypatch.setattr("websockets.frames.secrets", SimpleNamespace(token_bytes=bytes))


@pytest.fixture
def link(site: SiteProcess) -> Iterator[CutLink]:
    with CutLink(site.port) as link:
        yield link


@pytest.fixture(params=SCHEMES)
async def client(
    request: pytest.FixtureRequest, link: CutLink, store_id: str
) -> AsyncIterator[AsyncClient]:
    url = f"{request.param}://{LOOPBACK}:{link.port}"
    async with AsyncClient(store_id, url, poll_interval_s=POLL_INTERVAL_S) as client:
        yield client


def of_next_request() -> bytes:
    """What only the next request and its answer hold: their ids are counted."""
    return f'd":"{int(next_request_id()) + 1}"'.encode()


@pytest.mark.parametrize("cut", Cut)
async def test_a_push_that_is_cut_is_stored_once(
    client: AsyncClient, link: CutLink, cut: Cut, site: SiteProcess
) -> None:
    names = [f"event-{number}" for number in range(150)]
    await client.push([("first",)])  # now it knows the head: the next request is the push

    link.arm(of_next_request(), cut)
    end = await client.push([(name,) for name in names])

    async with AsyncClient(client.store_id, site.ws_url) as reader:
        pulled = await reader.pull()
    assert link.cuts == 1
    assert [event.name for event in pulled] == ["first", *names]
    assert end == pulled[-1].cursor


async def test_a_push_behind_a_place_is_not_refused_by_itself(
    client: AsyncClient, link: CutLink
) -> None:
    cursor = await client.push([("first",)])

    link.arm(of_next_request(), Cut.AFTER)
    end = await client.push([("second",)], after=cursor)

    assert link.cuts == 1
    assert [event.name for event in await client.pull()] == ["first", "second"]
    assert end.seq_num == 2


async def test_a_pull_goes_on_from_where_it_was_cut(
    client: AsyncClient, link: CutLink, site: SiteProcess
) -> None:
    async with AsyncClient(client.store_id, site.ws_url) as writer:
        await writer.push([(f"event-{number}",) for number in range(1_000)])

    link.arm(b'"eventSequenceNumber"', Cut.AT_ONCE)
    pulled = await client.pull(500)

    assert link.cuts == 1
    assert [event.seq_num for event in pulled] == list(range(501, 1_001))


async def test_live_pulls_and_pushes_outlive_restarts_of_the_server(figure: Figure) -> None:
    rounds = figure(usually=1, drill=20)
    async with asyncio.timeout(rounds * DEADLINE_S):
        with SiteProcess(environment={"SYNCSITE_ACCESS_LOG": "0"}) as site:
            seen, pushed = await _live_over_restarts(site, rounds)

    assert pushed == sorted(pushed, key=lambda name: int(name.partition("-")[2]))
    for names in seen:
        assert names == pushed
    assert len(pushed) == len(set(pushed))


async def _live_over_restarts(site: SiteProcess, rounds: int) -> tuple[list[list[str]], list[str]]:
    """What two live pulls have seen, and what was pushed, while the server was killed often."""
    options: Any = {"timeout_s": None, "poll_interval_s": POLL_INTERVAL_S}
    pushed: list[str] = []
    is_over = asyncio.Event()
    async with (
        AsyncClient("store", site.ws_url, **options) as writer,
        AsyncClient("store", site.ws_url, **options) as one,
        AsyncClient("store", site.http_url, **options) as other,
    ):
        reading = [asyncio.ensure_future(_until_the_last(client)) for client in (one, other)]
        pushing = asyncio.ensure_future(_push_all_the_time(writer, pushed, is_over))
        for round_number in range(rounds):
            enough = len(pushed) + 20
            await until(partial(_is_enough, pushed, enough))
            await asyncio.to_thread(site.terminate if round_number % 2 else site.kill)
            await asyncio.to_thread(site.start)
        is_over.set()
        await pushing
        return await asyncio.gather(*reading), pushed


def _is_enough(pushed: list[str], enough: int) -> bool:
    return len(pushed) >= enough


async def _push_all_the_time(
    client: AsyncClient, pushed: list[str], is_over: asyncio.Event
) -> None:
    while not is_over.is_set():
        names = [f"event-{len(pushed) + number}" for number in range(3)]
        await client.push([(name,) for name in names])
        pushed += names
    await client.push([("last",)])


async def _until_the_last(client: AsyncClient) -> list[str]:
    names: list[str] = []
    async with aclosing(client.live()) as live:
        async for event in live:
            if event.name == "last":
                break
            names.append(event.name)
    return names
