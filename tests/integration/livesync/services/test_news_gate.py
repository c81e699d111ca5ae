"""A hook that sees what was pushed on its way to the live pulls."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pytest_django import Settings

from livesync.hooks import Context, OpenHooks
from livesync.protocol.calls import Pull
from livesync.protocol.errors import RefusedError
from livesync.protocol.events import Cursor
from livesync.protocol.responses import PullResponse
from livesync.services.connection import Connection
from livesync.services.hints import Hint
from livesync.services.hub import get_hub
from livesync.services.site import admit
from tests.clients import until
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.listeners import Listener

HERE = "tests.integration.livesync.services.test_news_gate."

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("store"),
]


class Seeing(OpenHooks):
    """Writes down what it sees; refuses what the test wants, and waits as long as it wants."""

    seen: list[tuple[list[int], Any]] = []
    refuses: Callable[[list[int], Context | None], bool]
    open_gate: asyncio.Event

    async def on_pull_response(self, response: PullResponse, context: Context | None) -> None:
        numbers = [sent.event.seq_num for sent in response.events]
        self.seen.append((numbers, context and context.payload))
        if context is None:
            await self.open_gate.wait()
        if Seeing.refuses(numbers, context):
            raise RefusedError("says no")


@pytest.fixture(autouse=True)
def _seeing(settings: Settings) -> None:
    settings.LIVESYNC = {**settings.LIVESYNC, "hooks": HERE + "Seeing"}
    Seeing.seen.clear()
    Seeing.refuses = lambda numbers, context: False
    Seeing.open_gate = asyncio.Event()
    Seeing.open_gate.set()


class ClientListener(Listener):
    """The live pull of a client whose connection passes the hooks."""

    def __init__(self, connection: Connection, cursor: Cursor | None) -> None:
        super().__init__(connection.store_id)
        self.pull = connection.live_pull(Pull("1", cursor, live=True), self)


Listen = Callable[..., Any]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Starts live pulls of clients, and ends them."""
    listeners: list[Listener] = []

    async def listen(store_id: str, payload: str = "", cursor: Cursor | None = None) -> Listener:
        context = Context(store_id=store_id, transport="ws", headers={}, payload=payload)
        listener = ClientListener(Connection(await admit(context)), cursor)
        listeners.append(listener)
        listener.start()
        await listener.until_live()
        return listener

    yield listen
    for listener in listeners:
        listener.stop()


async def test_a_batch_is_seen_once_for_all_who_wait(store: Store, listen: Listen) -> None:
    listeners = [await listen(store.id) for _ in range(3)]

    await store.push(make_events(2))

    assert [await listener.until_seen(2) for listener in listeners] == [[1, 2]] * 3
    assert Seeing.seen == [([1, 2], None)]
    assert [listener.reads for listener in listeners] == [1, 1, 1]


async def test_each_part_of_a_large_batch_is_seen(
    store: Store, listen: Listen, settings: Settings
) -> None:
    settings.LIVESYNC = {**settings.LIVESYNC, "page_max_events": 2}
    listener = await listen(store.id)

    await store.push(make_events(5))

    assert await listener.until_seen(5) == [1, 2, 3, 4, 5]
    assert [numbers for numbers, _ in Seeing.seen] == [[1, 2], [3, 4], [5]]


async def test_nothing_is_seen_where_nobody_waits(store: Store, listen: Listen) -> None:
    await listen("another")

    await store.push(make_events(1))
    await (await listen(store.id, "late")).until_seen(1)

    assert Seeing.seen == [([1], "late")]


async def test_batches_come_in_their_order_behind_a_slow_hook(store: Store, listen: Listen) -> None:
    listener, other = await listen(store.id), await listen("another")
    Seeing.open_gate.clear()

    for head in range(5):
        await store.push(make_events(1, after=head))
    await until(lambda: len(Seeing.seen) == 1)
    assert listener.numbers == []
    Seeing.open_gate.set()
    await Store("another").push(make_events(1))

    assert await listener.until_seen(5) == [1, 2, 3, 4, 5]
    assert await other.until_seen(1) == [1]
    assert (listener.reads, other.reads) == (1, 1)


async def test_a_store_waits_for_no_other_store_s_hook(store: Store, listen: Listen) -> None:
    slow, fast = await listen(store.id), await listen("another")
    Seeing.open_gate.clear()
    await store.push(make_events(1))
    await until(lambda: len(Seeing.seen) == 1)
    Seeing.open_gate = asyncio.Event()
    Seeing.open_gate.set()

    await Store("another").push(make_events(1))

    assert await fast.until_seen(1) == [1]
    assert slow.numbers == []


async def test_a_batch_that_was_refused_is_read_as_a_page_and_missed_by_nobody(
    store: Store, listen: Listen
) -> None:
    Seeing.refuses = lambda numbers, context: context is None and numbers == [2]
    one, two = await listen(store.id, "one"), await listen(store.id, "two")

    for head in range(3):
        await store.push(make_events(1, after=head))

    assert await one.until_seen(3) == await two.until_seen(3) == [1, 2, 3]
    pages = [(numbers[0], payload) for numbers, payload in Seeing.seen if payload]
    assert sorted(pages) == [(2, "one"), (2, "two")]


async def test_who_is_refused_the_page_as_well_hears_so(store: Store, listen: Listen) -> None:
    Seeing.refuses = lambda numbers, context: context is None or context.payload == "two"
    one, two = await listen(store.id, "one"), await listen(store.id, "two")

    await store.push(make_events(1))

    assert await one.until_seen(1) == [1]
    assert str(await two.until_failed()) == "says no"
    assert two.numbers == []


async def test_more_than_may_wait_for_the_hook_is_read_as_pages(
    store: Store, listen: Listen, settings: Settings
) -> None:
    settings.LIVESYNC = {**settings.LIVESYNC, "live_window_chunks": 3}
    listener = await listen(store.id, "one")
    Seeing.open_gate.clear()

    for head in range(8):
        await store.push(make_events(1, after=head))
    await until(lambda: listener.numbers[:4] == [1, 2, 3, 4])
    Seeing.open_gate.set()

    assert await listener.until_seen(8) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_hint_of_what_waits_for_the_hook_makes_nobody_read(
    store: Store, listen: Listen
) -> None:
    listener = await listen(store.id)
    Seeing.open_gate.clear()
    pushed = await store.push(make_events(1))
    await until(lambda: len(Seeing.seen) == 1)

    get_hub().take_hint(Hint(store.id, pushed.backend_id, 1))
    assert listener.is_live
    get_hub().take_hint(Hint(store.id, pushed.backend_id, 2))  # of another process
    assert not listener.is_live

    await listener.until_live()
    assert listener.numbers == [1]
    Seeing.open_gate.set()
    await store.push(make_events(1, after=1))
    assert await listener.until_seen(2) == [1, 2]


async def test_what_live_pulls_get_is_one_text(store: Store, listen: Listen) -> None:
    texts: list[str] = []
    for _ in range(2):
        listener = await listen(store.id)
        listener.send_chunk = texts.append

    await store.push(make_events(1))
    await until(lambda: len(texts) == 2)

    assert texts[0] is texts[1]
