"""One live pull: stored pages first, then news, each event once, as fast as its client takes it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pytest_django import Settings

from livesync.protocol.errors import BackendIdMismatchError
from livesync.protocol.events import Cursor
from livesync.services.hub import get_hub
from livesync.services.live_pull import News, encode_news
from livesync.storage.engine import Appended
from tests.clients import page_numbers, until
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.listeners import Listener

Listen = Callable[..., Listener]

pytestmark = pytest.mark.parametrize("vendor", ["sqlite", "files"], indirect=True)


@pytest.fixture
async def listen(store: Store) -> AsyncIterator[Listen]:
    """Begins live pulls of the store, and ends them."""
    listeners: list[Listener] = []

    def listen(cursor: Cursor | None = None, *, acks: bool = True) -> Listener:
        listeners.append(Listener(store.id, cursor, acks=acks).start())
        return listeners[-1]

    yield listen
    for listener in listeners:
        listener.stop()


def news_of(appended: Appended, **changes: Any) -> News:
    return encode_news(appended)._replace(**changes)


async def test_stored_pages_come_first_and_then_what_is_pushed(
    store: Store, listen: Listen
) -> None:
    await store.push(make_events(250))
    listener = listen()
    await listener.until_live()
    await store.push(make_events(2, after=250))

    assert await listener.until_seen(252) == list(range(1, 253))
    assert [len(page["batch"]) for page in listener.pages] == [100, 100, 50, 2]
    assert [page["pageInfo"]["_tag"] for page in listener.pages][-2:] == ["NoMore", "NoMore"]
    assert {page["backendId"] for page in listener.pages} == {await store.backend_id()}
    assert listener.reads == 1


async def test_an_empty_store_is_answered_at_once_and_once(store: Store, listen: Listen) -> None:
    listener = listen()
    await listener.until_live()

    listener.pull.mark_dirty()
    await listener.until_live()

    assert [page["batch"] for page in listener.pages] == [[]]


async def test_a_pull_from_a_cursor_gets_what_follows(store: Store, listen: Listen) -> None:
    done = await store.push(make_events(5))
    listener = listen(Cursor(done.backend_id, 3))

    assert await listener.until_seen(5) == [4, 5]


async def test_a_pull_at_the_head_is_answered_with_an_empty_page(
    store: Store, listen: Listen
) -> None:
    done = await store.push(make_events(5))
    listener = listen(Cursor(done.backend_id, 5))
    await listener.until_live()
    assert [page["batch"] for page in listener.pages] == [[]]

    await store.push(make_events(1, after=5))

    assert await listener.until_seen(6) == [6]


async def test_a_pull_of_another_history_fails(store: Store, listen: Listen) -> None:
    await store.push(make_events(1))

    error = await listen(Cursor("another history", 1)).until_failed()

    assert isinstance(error, BackendIdMismatchError)


async def test_a_large_batch_comes_in_pages(store: Store, listen: Listen) -> None:
    listener = listen()
    await listener.until_live()

    await store.push(make_events(250))

    assert await listener.until_seen(250) == list(range(1, 251))
    assert [len(page["batch"]) for page in listener.pages] == [0, 100, 100, 50]
    assert {page["pageInfo"]["_tag"] for page in listener.pages} == {"NoMore"}


async def test_absent_args_stay_absent_in_pages_and_in_news(store: Store, listen: Listen) -> None:
    await store.push(make_events(1, args=None))
    listener = listen()
    await listener.until_live()
    await store.push(make_events(1, after=1, args=None))
    await store.push(make_events(1, after=2, args="null"))
    await listener.until_seen(3)

    events = [item["eventEncoded"] for page in listener.pages for item in page["batch"]]
    assert ["args" in event for event in events] == [False, False, True]


async def test_news_that_were_seen_already_are_dropped(store: Store, listen: Listen) -> None:
    listener = listen()
    await listener.until_live()
    done = await store.push(make_events(2))
    await listener.until_seen(2)

    listener.pull.offer(news_of(done))
    listener.pull.offer(news_of(done, parent=0, head=1))

    assert (listener.numbers, listener.reads) == ([1, 2], 1)


async def test_news_behind_a_gap_make_it_read_what_is_between(store: Store, listen: Listen) -> None:
    listener = listen()
    await listener.until_live()
    get_hub().leave(listener.pull)
    await store.push(make_events(2))
    done = await store.push(make_events(2, after=2))

    listener.pull.offer(news_of(done))

    assert await listener.until_seen(4) == [1, 2, 3, 4]
    assert listener.reads == 2


async def test_news_of_another_history_make_it_look(store: Store, listen: Listen) -> None:
    done = await store.push(make_events(2))
    listener = listen()
    await listener.until_live()

    listener.pull.offer(news_of(done, backend_id="another history", parent=2, head=3))
    await listener.until_live()

    assert (listener.numbers, listener.reads) == ([1, 2], 2)


@pytest.mark.parametrize("head", [0, 2])
async def test_a_hint_of_what_it_knows_is_no_reason_to_read(
    store: Store, listen: Listen, head: int
) -> None:
    done = await store.push(make_events(2))
    listener = listen()
    await listener.until_live()

    listener.pull.compare(done.backend_id, head)

    assert listener.reads == 1


@pytest.mark.parametrize("backend_id", ["", "another history"])
@pytest.mark.parametrize("head", [0, 2, 3, 2**60])
async def test_a_forged_hint_costs_one_read_and_changes_nothing(
    store: Store, listen: Listen, backend_id: str, head: int
) -> None:
    await store.push(make_events(2))
    listener = listen()
    await listener.until_live()

    listener.pull.compare(backend_id, head)
    await listener.until_live()

    assert (listener.numbers, listener.reads) == ([1, 2], 2)
    await store.push(make_events(1, after=2))
    assert await listener.until_seen(3) == [1, 2, 3]


async def test_a_page_waits_until_the_one_before_is_acknowledged(
    store: Store, listen: Listen
) -> None:
    await store.push(make_events(350))
    listener = listen(acks=False)

    for count in (1, 2, 3, 4):
        await until(lambda count=count: len(listener.pages) == count)  # type: ignore[misc]
        await asyncio.sleep(0)
        assert len(listener.pages) == count
        listener.ack(3)  # more than there is to acknowledge releases one page only

    assert [len(page["batch"]) for page in listener.pages] == [100, 100, 100, 50]


async def test_news_go_out_before_those_before_them_are_acknowledged(
    store: Store, listen: Listen
) -> None:
    listener = listen(acks=False)
    await until(lambda: len(listener.pages) == 1)
    listener.ack()
    await listener.until_live()

    for head in range(5):
        await store.push(make_events(1, after=head))

    assert await listener.until_seen(5) == [1, 2, 3, 4, 5]
    assert listener.reads == 1


@pytest.mark.parametrize(
    "limits", [{"live_window_chunks": 3}, {"live_window_bytes": 1_300}, {"is_writable": False}]
)
async def test_a_client_that_does_not_keep_up_gets_the_rest_from_the_log(
    store: Store, listen: Listen, settings: Settings, limits: dict[str, int]
) -> None:
    settings.LIVESYNC = {key: limit for key, limit in limits.items() if key != "is_writable"}
    listener = listen(acks=False)
    listener.ack()
    await until(lambda: len(listener.pages) == 1)
    listener.ack()
    await listener.until_live()
    await store.push(make_events(1))
    listener.writable = bool(limits.get("is_writable", True))
    for head in range(1, 10):
        await store.push(make_events(1, after=head))
    held = len(listener.numbers)
    assert held <= 3

    listener.writable = True
    listener.ack(held)

    # one page of all that it had missed
    assert await listener.until_seen(10) == list(range(1, 11))
    assert page_numbers(listener.pages[-1]) == list(range(held + 1, 11))
    assert listener.reads == 2


async def test_a_client_that_takes_nothing_holds_one_page_however_much_is_pushed(
    store: Store, listen: Listen
) -> None:
    await store.push(make_events(150))
    listener = listen(acks=False)
    await until(lambda: len(listener.pages) == 1)

    for head in range(150, 400, 50):
        await store.push(make_events(50, after=head))

    assert len(listener.pages) == 1
    for count in range(2, 5):
        listener.ack()
        await until(lambda count=count: len(listener.pages) == count)  # type: ignore[misc]
    assert listener.numbers == list(range(1, 401))


async def test_a_page_without_an_ack_stalls_the_pull_after_a_while(
    store: Store, listen: Listen
) -> None:
    before = time.monotonic()
    listener = listen(acks=False)
    await until(lambda: len(listener.pages) == 1)
    after = time.monotonic()
    pull = listener.pull

    assert not pull.is_stalled(before + 30, 30)
    assert pull.is_stalled(after + 30.001, 30)
    listener.ack()
    assert not pull.is_stalled(after + 1_000, 30)


async def test_every_ack_gives_the_next_page_its_own_time(store: Store, listen: Listen) -> None:
    listener = listen(acks=False)
    await until(lambda: len(listener.pages) == 1)
    listener.ack()
    await listener.until_live()
    for head in range(3):
        await store.push(make_events(1, after=head))
    sent_at = time.monotonic()

    listener.ack()

    assert not listener.pull.is_stalled(sent_at + 30, 30)
    assert listener.pull.is_stalled(time.monotonic() + 30.001, 30)


async def test_acks_of_nothing_do_nothing(store: Store, listen: Listen) -> None:
    listener = listen(acks=False)
    listener.ack(5)
    await until(lambda: len(listener.pages) == 1)
    listener.ack(5)
    await listener.until_live()

    await store.push(make_events(1))

    assert await listener.until_seen(1) == [1]
    assert listener.pull.is_stalled(time.monotonic() + 31, 30)
