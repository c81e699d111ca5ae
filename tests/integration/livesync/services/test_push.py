"""A push is stored before its caller hears so, and heard by all who wait, in order."""

import asyncio

import pytest

from livesync.protocol.errors import BackendIdMismatchError, ServerAheadError
from livesync.services.hub import all_hubs, get_hub
from livesync.services.push import start_push
from livesync.storage.engine import Appended
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.listeners import Listener


async def test_what_is_acknowledged_is_there_for_everybody(store: Store) -> None:
    done = await store.push(make_events(3))

    assert (done.head, await store.numbers()) == (3, [1, 2, 3])


async def test_a_refused_push_is_neither_stored_nor_heard(store: Store) -> None:
    await store.push(make_events(2))
    listener = Listener(store.id).start()
    await listener.until_live()

    with pytest.raises(ServerAheadError):
        await store.push(make_events(1))
    with pytest.raises(BackendIdMismatchError):
        await store.push(make_events(1, after=2), backend_id="another history")
    await store.push(make_events(1, after=2))

    assert await store.numbers() == [1, 2, 3]
    assert await listener.until_seen(3) == [1, 2, 3]


async def test_of_pushes_at_once_on_one_head_one_is_stored(store: Store) -> None:
    outcomes = await asyncio.gather(
        *(store.push(make_events(2)) for _ in range(20)), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        "Appended",
        *["ServerAheadError"] * 19,
    ]
    assert await store.numbers() == [1, 2]


async def test_pushes_of_one_caller_are_stored_in_the_order_of_its_calls(store: Store) -> None:
    waiting = [start_push(store.id, None, make_events(1, after=head)) for head in range(100)]

    outcomes = await asyncio.gather(*waiting)

    assert [outcome.head for outcome in outcomes] == list(range(1, 101))


async def test_a_caller_that_is_cancelled_has_pushed_nevertheless(store: Store) -> None:
    listener = Listener(store.id).start()
    await listener.until_live()

    async def push_and_leave() -> Appended:
        return await store.push(make_events(3))

    caller = asyncio.create_task(push_and_leave())
    await asyncio.sleep(0)  # it has handed its batch over, and waits
    caller.cancel()

    assert await listener.until_seen(3) == [1, 2, 3]
    assert await store.numbers() == [1, 2, 3]


async def test_the_pages_arrive_before_the_answer_to_the_push(store: Store) -> None:
    listener = Listener(store.id).start()
    await listener.until_live()

    await store.push(make_events(2))

    assert listener.numbers == [1, 2]


async def test_an_empty_push_makes_the_store_and_is_not_heard(store: Store) -> None:
    made = await store.push([])
    listener = Listener(store.id).start()
    await listener.until_live()

    await store.push([], backend_id="another history")

    assert made.backend_id == await store.backend_id()
    assert len(listener.pages) == 1
    assert listener.pages[0]["batch"] == []


async def test_a_process_that_only_pushes_has_a_hub_that_tells_the_others(store: Store) -> None:
    await store.push(make_events(1))

    assert all_hubs() == [get_hub()]
