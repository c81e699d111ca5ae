"""F-25, F-26: several processes race on one store, and on the first contact with new ones."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import count, cycle
from typing import Any

import psycopg

from tests.conftest import Figure
from tests.faults.conftest import StartSites
from tests.history.checker import check
from tests.history.clients import FinalReader
from tests.history.events import event_of
from tests.history.history import Entry, FinalLog, Recorder
from tests.history.wire import Cursor, Link, RefusedError, open_http, open_websocket
from tests.history.writers import Writer
from tests.processes import DEADLINE_S
from tests.site_process import SiteProcess

SERVERS = 4
CLIENTS_PER_SERVER = 16
BATCH = 3
CONTACTS = 8


class Racer(Writer):
    """Pushes without a pause, on whatever head it was told last."""

    def __init__(self, name: str, tickets: Iterator[int], **client: Any) -> None:
        super().__init__(
            name,
            batches_per_s=1,
            most_events=BATCH,
            acked=lambda: None,
            is_enough=lambda: False,
            **client,
        )
        self._tickets = tickets

    async def run(self) -> None:
        await self.connected()
        for ticket in self._tickets:
            await self.push(self._chain([f"{self.name}-{ticket}-{n}" for n in range(BATCH)]))
            if self.refusal is not None:
                self.cursor = Cursor("", self.refusal.head or 0)


async def test_racing_servers_accept_each_head_once(
    start_sites: StartSites, database_url: str, figure: Figure, recorder: Recorder
) -> None:
    tickets = iter(range(figure(usually=2_000, drill=20_000)))
    sites = start_sites(SERVERS)

    names = (f"racer{number}" for number in count())
    racers = [
        Racer(next(names), tickets, urls=(site.http_url,), store="s", recorder=recorder, seed="")
        for site in sites
        for _ in range(CLIENTS_PER_SERVER)
    ]
    async with asyncio.timeout(10 * DEADLINE_S):
        await asyncio.gather(*(racer.run() for racer in racers))
        log = await _final_log(sites[0], recorder)
        await asyncio.gather(*(racer.close() for racer in racers))

    pushes = recorder.history.pushes()
    accepted = [push for push in pushes if push.outcome == "ok"]
    assert check(recorder.history, [log]) == []
    assert {push.refusal.tag for push in pushes if push.refusal} == {"ServerAheadError"}
    assert [push for push in pushes if push.outcome == "info"] == []
    assert BATCH * len(accepted) == len(log.entries) == _count_rows(database_url)


async def test_racing_servers_give_a_new_store_one_backend_id(
    start_sites: StartSites, database_url: str, figure: Figure
) -> None:
    stores = [f"new-{number}" for number in range(figure(usually=50, drill=500))]
    urls = [site.http_url for site in start_sites(2)]

    told = {store: await _meet(urls, store) for store in stores}

    assert told == _stored_ids(database_url)


async def _meet(urls: list[str], store: str) -> str:
    """Let eight clients be the first to speak of a store; the backend id that all were told."""
    async with AsyncExitStack() as stack:
        kinds = cycle((open_websocket, open_websocket, open_http, open_http))
        dials = [kind(url, store) for kind, url in zip(kinds, urls * (CONTACTS // 2), strict=False)]
        links = [await stack.enter_async_context(dial) for dial in dials]
        told = await asyncio.gather(*(_contact(link, number) for number, link in enumerate(links)))
    (backend_id,) = set(told)
    return backend_id


async def _contact(link: Link, number: int) -> str:
    """Push or pull as the first thing, then go on with the backend id that was told."""
    if number < CONTACTS // 2:
        try:
            await link.push([event_of(Entry(f"c{number}-1", 1, 0))], None)
        except RefusedError as error:
            if error.refusal.tag != "ServerAheadError":
                raise
    backend_id = await _read_backend_id(link, None)
    assert await _read_backend_id(link, Cursor(backend_id, 0)) == backend_id
    return backend_id


async def _read_backend_id(link: Link, cursor: Cursor | None) -> str:
    (backend_id,) = {page.backend_id async for page in link.pull(cursor)}
    return backend_id


async def _final_log(site: SiteProcess, recorder: Recorder) -> FinalLog:
    reader = FinalReader("final", urls=(site.http_url,), store="s", recorder=recorder, seed="")
    try:
        await reader.run()
    finally:
        await reader.close()
    return reader.log


def _count_rows(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM livesync_storedevent").fetchone()
    return int(row[0]) if row else 0


def _stored_ids(database_url: str) -> dict[str, str]:
    with psycopg.connect(database_url) as connection:
        return dict(connection.execute("SELECT store_id, backend_id FROM livesync_store"))
