"""Live pulls by RPC in the process of the server: pages in a stream, updates to a callback."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from livesync.protocol import records
from livesync.protocol.errors import StorageUnavailableError
from livesync.services import pull as pull_module
from livesync.services import stores
from livesync.services.hub import get_hub
from livesync.storage import get_readers
from livesync.transports.rpc import StoreRpc
from tests.clients import SUCCESS, error_of, page_numbers, until
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.rpc_client import RpcClient, answers_of, decode, numbers_of

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


class Subscriber:
    """Takes the updates of one stub.

    Attributes:
        updates: what was handed over.
        gate: cleared, it keeps the next update waiting.
    """

    def __init__(self, store_id: str) -> None:
        self.updates: list[Any] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.stub = StoreRpc(store_id, sync_update_rpc=self.take)
        self.client = RpcClient(self.stub.rpc, store_id)

    async def take(self, update: Any) -> None:
        await self.gate.wait()
        self.updates.append(update)

    @property
    def numbers(self) -> list[int]:
        """Of the events that were handed over."""
        return [
            number
            for update in self.updates
            if update["_tag"] == "Chunk"
            for value in update["values"]
            for number in page_numbers(value)
        ]

    async def heard(self, *numbers: int) -> None:
        """Wait for exactly these events."""
        await until(lambda: len(self.numbers) >= len(numbers))
        assert self.numbers == list(numbers)


@pytest.fixture
def client(store: Store) -> RpcClient:
    """A client without live pulls."""
    return RpcClient(StoreRpc(store.id).rpc, store.id)


@pytest.fixture
async def subscriber(store: Store) -> AsyncIterator[Subscriber]:
    subscriber = Subscriber(store.id)
    async with subscriber.stub:
        yield subscriber


async def test_a_live_pull_hears_each_event_once_and_in_order(
    subscriber: Subscriber, client: RpcClient
) -> None:
    await client.push(make_events(2))

    *chunks, exit = await subscriber.client.pull_live()
    for number in range(2, 30):
        await client.push(make_events(1, after=number))

    assert (numbers_of(chunks), exit["exit"]) == ([1, 2], SUCCESS)
    await subscriber.heard(*range(3, 31))
    first = subscriber.updates[0]
    assert (first["_tag"], first["requestId"]) == ("Chunk", "1")
    assert set(first["values"][0]) == {"batch", "pageInfo", "backendId"}


async def test_what_comes_while_the_stored_pages_are_read_is_not_missed(
    subscriber: Subscriber, client: RpcClient
) -> None:
    await client.push(make_events(150))
    request = subscriber.client.pull_request(None, caller="me")
    stream = await subscriber.stub.rpc(records.encode([request]))
    assert not isinstance(stream, bytes)
    stored: list[int] = []
    head = 150

    async for data in stream:  # a push before each message is taken, the Exit included
        stored += numbers_of([one for one in decode(data) if one["_tag"] == "Chunk"])
        await client.push(make_events(1, after=head))
        head += 1
    await client.push(make_events(1, after=head))
    await until(lambda: len(stored) + len(subscriber.numbers) > head)

    assert stored + subscriber.numbers == list(range(1, head + 2))


async def test_a_push_of_another_process_is_heard_of(subscriber: Subscriber, store: Store) -> None:
    await store.push(make_events(1))
    await subscriber.client.pull_live()

    await store.push_elsewhere(make_events(2, after=1))
    await get_hub().reconcile()

    await subscriber.heard(2, 3)


@only_sqlite
async def test_every_subscriber_of_a_store_hears_of_a_push(store: Store, client: RpcClient) -> None:
    subscribers = [Subscriber(store.id) for _ in range(5)]
    for one in subscribers:
        await one.client.pull_live()

    await client.push(make_events(2))

    for one in subscribers:
        await one.heard(1, 2)
        one.stub.close()
    assert get_hub().count() == 0


@only_sqlite
async def test_who_pulls_again_is_heard_of_once(subscriber: Subscriber, client: RpcClient) -> None:
    await subscriber.client.pull_live(id="1")
    await subscriber.client.pull_live(id="2")
    await subscriber.client.pull_live(id="3", caller="another")

    await client.push(make_events(1))

    await until(lambda: len(subscriber.updates) == 2)
    assert {update["requestId"] for update in subscriber.updates} == {"2", "3"}
    assert get_hub().count() == 2


@only_sqlite
async def test_live_pulls_are_limited(
    subscriber: Subscriber, client: RpcClient, tune: Tune
) -> None:
    tune(live_pulls_per_socket=2)
    await subscriber.client.pull_live(caller="one")
    request = subscriber.client.pull_request(None, caller="two")
    opening = await subscriber.stub.rpc(records.encode([request]))
    assert not isinstance(opening, bytes)
    await anext(opening)

    (refused,) = await subscriber.client.pull_live(caller="three", id="7")
    await subscriber.client.pull_live(caller="one", id="8")
    await opening.aclose()  # type: ignore[attr-defined] # it is a generator
    *_, accepted = await subscriber.client.pull_live(caller="three", id="9")

    cause = error_of(refused["exit"])["cause"]
    assert (refused["requestId"], cause["name"]) == ("7", "LimitError")
    assert cause["message"] == "more than 2 live pulls"
    assert accepted["exit"] == SUCCESS
    assert get_hub().count() == 2


@only_sqlite
async def test_a_forged_caller_takes_no_live_pull_of_another_client(
    subscriber: Subscriber, store: Store, client: RpcClient
) -> None:
    await subscriber.client.pull_live(caller="me")

    async with StoreRpc(store.id, sync_update_rpc=Subscriber(store.id).take) as stub:
        await RpcClient(stub.rpc, store.id).pull_live(caller="me", id="2")
    await client.push(make_events(1))

    await subscriber.heard(1)


@only_sqlite
async def test_who_leaves_before_the_end_of_the_pages_hears_nothing(
    subscriber: Subscriber, client: RpcClient
) -> None:
    await client.push(make_events(150))
    request = subscriber.client.pull_request(None, caller="me")
    stream = await subscriber.stub.rpc(records.encode([request]))
    assert not isinstance(stream, bytes)

    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined] # it is a generator

    assert get_hub().count() == 0


@only_sqlite
async def test_a_live_pull_that_is_still_read_when_all_end_ends_with_its_pages(
    subscriber: Subscriber, client: RpcClient
) -> None:
    await client.push(make_events(150))
    requests = [subscriber.client.pull_request(None, caller=name) for name in ("read", "called")]
    read, called = [await subscriber.stub.rpc(records.encode([each])) for each in requests]
    assert not isinstance(read, bytes)
    first = await anext(read)

    subscriber.stub.close()

    pages = [*decode(first), *await answers_of(read)]
    assert numbers_of(pages[:-1]) == list(range(1, 151))
    assert numbers_of((await answers_of(called))[:-1]) == list(range(1, 151))
    assert get_hub().count() == 0


@only_sqlite
async def test_without_a_taker_a_live_pull_ends_with_its_pages(
    client: RpcClient, store: Store
) -> None:
    *_, exit = await client.pull_live()

    assert exit["exit"] == SUCCESS
    assert get_hub().count() == 0


@only_sqlite
async def test_the_next_generation_takes_bytes_and_the_store(
    store: Store, client: RpcClient
) -> None:
    taken: list[tuple[bytes, str]] = []

    async def take(data: bytes, store_id: str) -> None:
        taken.append((data, store_id))

    async with StoreRpc(store.id, sync_update_rpc_bytes=take) as stub:
        await RpcClient(stub.rpc, store.id).pull_live()
        await client.push(make_events(1))
        await until(lambda: bool(taken))

    ((data, store_id),) = taken
    (update,) = decode(data)
    assert (store_id, update["_tag"], numbers_of([update])) == (store.id, "Chunk", [1])


@only_sqlite
async def test_a_slow_taker_costs_a_cursor_and_misses_nothing(
    subscriber: Subscriber, client: RpcClient, tune: Tune
) -> None:
    tune(live_window_chunks=2)
    await subscriber.client.pull_live()
    subscriber.gate.clear()

    for number in range(20):
        await client.push(make_events(1, after=number))
    (live,) = subscriber.stub._live.values()
    assert live._found.qsize() <= 3
    subscriber.gate.set()

    await subscriber.heard(*range(1, 21))


@only_sqlite
async def test_a_taker_that_fails_ends_its_live_pull(
    store: Store, client: RpcClient, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(update: Any) -> None:
        raise ValueError("the taker is broken")

    stub = StoreRpc(store.id, sync_update_rpc=fail)
    await RpcClient(stub.rpc, store.id).pull_live()

    await client.push(make_events(1))

    await until(lambda: get_hub().count() == 0)
    assert "the taker is broken" in caplog.text


@only_sqlite
async def test_of_a_live_pull_that_has_ended_nothing_is_kept(
    subscriber: Subscriber, client: RpcClient, store: Store
) -> None:
    await client.push(make_events(1))
    for number in range(3):
        await subscriber.client.pull_live(caller=f"caller {number}")
    assert len(subscriber.stub._live) == 3

    await get_readers().run(stores.reset_store, store.id)

    await until(lambda: not subscriber.stub._live)


async def test_a_reset_ends_a_live_pull(
    subscriber: Subscriber, client: RpcClient, store: Store
) -> None:
    await client.push(make_events(1))
    await subscriber.client.pull_live()

    await get_readers().run(stores.reset_store, store.id)
    await until(lambda: bool(subscriber.updates))

    (update,) = subscriber.updates
    assert error_of(update["exit"])["expected"] == await store.backend_id()
    assert get_hub().count() == 0


@only_sqlite
async def test_a_live_pull_survives_a_database_that_was_away(
    subscriber: Subscriber, client: RpcClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.push(make_events(1))
    await subscriber.client.pull_live()
    read, is_away = pull_module._read_slice, asyncio.Event()
    faults: list[None] = []

    def fail(*args: Any) -> Any:
        if is_away.is_set():
            faults.append(None)
            raise StorageUnavailableError
        return read(*args)

    monkeypatch.setattr(pull_module, "_read_slice", fail)
    is_away.set()
    await store.push_elsewhere(make_events(2, after=1))
    (live,) = subscriber.stub._live.values()
    live.pull.mark_dirty()
    await until(lambda: bool(faults))
    is_away.clear()

    await subscriber.heard(2, 3)
