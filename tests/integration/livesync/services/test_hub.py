"""Who waits in this process hears of every commit, this process's and that of others, in order."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from pytest_django import Settings

from livesync.protocol.errors import BackendIdMismatchError, StorageUnavailableError
from livesync.protocol.events import Cursor
from livesync.services import hub as module
from livesync.services.hints import Hint, HintBus
from livesync.services.hub import Hub, all_hubs, get_hub
from livesync.services.stores import reset_store
from livesync.storage import get_engine, get_readers
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Appended
from tests.clients import until
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.listeners import Listener
from tests.storage import everywhere

Listen = Callable[..., Listener]


class HubElsewhere(Hub):
    """The hub of another process: what is committed here it hears of through hints alone."""

    def _hear(self, stored: Sequence[Appended]) -> None:
        pass


@pytest.fixture
async def listen(store: Store) -> AsyncIterator[Listen]:
    """Begins live pulls, and ends them."""
    listeners: list[Listener] = []

    def listen(*, store_id: str = store.id, hub: Hub | None = None, **options: Any) -> Listener:
        listeners.append(Listener(store_id, **options).start(hub))
        return listeners[-1]

    yield listen
    for listener in listeners:
        listener.stop()


async def test_everybody_on_the_store_hears_in_the_order_of_commits(
    store: Store, listen: Listen
) -> None:
    listeners = [listen() for _ in range(20)]
    for listener in listeners:
        await listener.until_live()

    for head in range(0, 100, 2):
        await store.push(make_events(2, after=head))

    for listener in listeners:
        assert await listener.until_seen(100) == list(range(1, 101))
        assert listener.reads == 1  # nothing was asked of the database


async def test_other_stores_hear_nothing(store: Store, listen: Listen) -> None:
    other = listen(store_id="other")
    await other.until_live()

    await store.push(make_events(2))
    await Store("other").push(make_events(1, name="other"))

    await other.until_seen(1)
    assert [item["eventEncoded"]["name"] for page in other.pages for item in page["batch"]] == [
        "other"
    ]


async def test_who_has_left_hears_nothing(store: Store, listen: Listen) -> None:
    gone, stays = listen(), listen()
    await gone.until_live()
    await stays.until_live()

    gone.stop()
    await store.push(make_events(2))

    assert await stays.until_seen(2) == [1, 2]
    assert gone.numbers == []


async def test_live_pulls_are_counted(store: Store, listen: Listen) -> None:
    one, _, other = listen(), listen(), listen(store_id="other")
    hub = get_hub()
    assert (hub.count(), hub.count(store.id), hub.count("other")) == (3, 2, 1)

    one.stop()
    other.stop()
    other.stop()

    assert (hub.count(), hub.count(store.id), hub.count("other")) == (1, 1, 0)


async def test_a_loop_has_one_hub_until_it_is_stopped(store: Store) -> None:
    hub = get_hub()
    assert get_hub() is hub
    assert all_hubs() == [hub]

    await hub.stop()

    assert all_hubs() == []
    assert get_hub() is not hub


@everywhere
async def test_commits_of_other_processes_are_found_by_reconciling(
    store: Store, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STORES_PER_QUERY", 3)
    stores = [Store(f"store {number}") for number in range(10)]
    listeners = [listen(store_id=each.id) for each in stores]
    for each, listener in zip(stores, listeners, strict=True):
        await listener.until_live()
        await each.push_elsewhere(make_events(2))
    assert [listener.numbers for listener in listeners] == [[]] * 10

    await get_hub().reconcile()

    for listener in listeners:
        assert await listener.until_seen(2) == [1, 2]


async def test_it_reconciles_by_itself_and_goes_on_after_faults(
    store: Store, listen: Listen, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = get_engine()
    faults: list[Exception] = [StorageUnavailableError(), ValueError("a bug")]

    class Faulty:
        def states(self, store_ids: Sequence[str]) -> Any:
            if faults:
                raise faults.pop(0)
            return engine.states(store_ids)

    monkeypatch.setattr(module, "get_engine", Faulty)
    settings.LIVESYNC = {"reconcile_interval_s": 0.01}
    listener = listen()
    await listener.until_live()

    await store.push_elsewhere(make_events(2))

    assert await listener.until_seen(2) == [1, 2]
    assert faults == []


async def test_a_reset_of_another_process_is_found_by_reconciling(
    store: Store, listen: Listen
) -> None:
    await store.push(make_events(2))
    listener = listen()
    await listener.until_seen(2)
    await listener.until_live()

    done = await get_readers().run(get_engine().reset, store.id)
    await get_hub().reconcile()

    error = await listener.until_failed()
    assert isinstance(error, BackendIdMismatchError)
    assert error.expected == done.backend_id


async def test_a_reset_here_is_heard_at_once(store: Store, listen: Listen) -> None:
    await store.push(make_events(2))
    listener, other = listen(), listen(store_id="other")
    await listener.until_live()
    await other.until_live()

    await get_readers().run(reset_store, store.id)

    assert isinstance(await listener.until_failed(), BackendIdMismatchError)
    await other.until_live()
    assert other.reads == 1


async def test_after_a_reset_events_of_the_new_history_reach_nobody_of_the_old_one(
    store: Store, listen: Listen
) -> None:
    await store.push(make_events(2))
    listener = listen()
    await listener.until_live()

    await get_readers().run(get_engine().reset, store.id)
    await store.push(make_events(3, name="new history"))

    assert isinstance(await listener.until_failed(), BackendIdMismatchError)
    assert listener.numbers == [1, 2]


class Processes:
    """This process and another, with a channel layer between them and one database."""

    def __init__(self) -> None:
        layer = InMemoryChannelLayer()
        self.here = Hub(lambda on_hint: HintBus(layer, on_hint))
        self.elsewhere = HubElsewhere(lambda on_hint: HintBus(layer, on_hint))


@pytest.fixture
async def processes(store: Store) -> AsyncIterator[Processes]:
    processes = Processes()
    yield processes
    await processes.here.stop()
    await processes.elsewhere.stop()


async def test_commits_reach_another_process_through_hints(
    store: Store, listen: Listen, processes: Processes
) -> None:
    here, elsewhere = listen(hub=processes.here), listen(hub=processes.elsewhere)
    await here.until_live()
    await elsewhere.until_live()
    await joined(processes.elsewhere, store.id)

    for head in range(0, 20, 2):
        await store.push(make_events(2, after=head))

    assert await here.until_seen(20) == list(range(1, 21))
    assert await elsewhere.until_seen(20) == list(range(1, 21))


async def test_a_process_joins_a_group_once_and_leaves_it_with_the_last_pull(
    store: Store, listen: Listen, processes: Processes
) -> None:
    one, two = listen(hub=processes.elsewhere), listen(hub=processes.elsewhere)
    await joined(processes.elsewhere, store.id)
    one.stop()
    await store.push(make_events(2))
    assert await two.until_seen(2) == [1, 2]

    two.stop()
    layer = bus_of(processes.elsewhere)._layer

    await until(lambda: layer.groups == {})


class GatedLayer(InMemoryChannelLayer):  # type: ignore[misc] # channels publishes no types
    """A layer on which nobody joins a group before the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def group_add(self, group: str, channel: str) -> None:
        await self.gate.wait()
        await super().group_add(group, channel)


async def test_what_was_pushed_before_hints_are_heard_is_looked_for_then(
    store: Store, listen: Listen
) -> None:
    layer = GatedLayer()
    elsewhere = HubElsewhere(lambda on_hint: HintBus(layer, on_hint))
    listener = listen(hub=elsewhere)
    await listener.until_live()
    await store.push(make_events(2))

    layer.gate.set()

    assert await listener.until_seen(2) == [1, 2]
    await elsewhere.stop()


async def joined(hub: Hub, store_id: str) -> None:
    """Wait until hints of the store reach a hub; before, only the tick would tell it."""
    bus = bus_of(hub)
    await until(lambda: store_id not in bus._changed and bus._channel is not None)
    await until(lambda: len(bus._layer.groups) > 0)


def bus_of(hub: Hub) -> Any:
    return hub._bus


@everywhere
async def test_two_hundred_pulls_opened_while_others_push_miss_nothing(
    store: Store, listen: Listen
) -> None:
    """F-16: from pages to live without a window between."""
    moments = random.Random(16)
    head, backend_id = 200, (await store.push(make_events(200))).backend_id
    done = asyncio.Event()

    async def push_on() -> None:
        nonlocal head
        while not done.is_set():
            count = moments.randint(1, 5)
            head = (await store.push(make_events(count, after=head))).head

    pushing = asyncio.create_task(push_on())
    listeners: list[tuple[int, Listener]] = []
    for _ in range(200):
        seen = moments.randint(0, head)
        cursor = Cursor(backend_id, seen) if seen else None
        listeners.append((seen, listen(cursor=cursor)))
        for _ in range(moments.randint(0, 3)):
            await asyncio.sleep(0)
    done.set()
    await pushing

    for seen, listener in listeners:
        await until(lambda listener=listener: listener.pull.seq_num >= head)  # type: ignore[misc]
        assert listener.numbers == list(range(seen + 1, head + 1))


async def test_a_hint_may_come_from_any_thread(
    store: Store, listen: Listen, engine: DatabaseEngine
) -> None:
    listener = listen()
    await listener.until_live()
    done = await store.push_elsewhere(make_events(2))

    await get_readers().run(get_hub().hint_from_thread, Hint(store.id, done.backend_id, 2))

    assert await listener.until_seen(2) == [1, 2]
