"""What a site hears of, after the commit."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.dispatch import Signal
from pytest_django import Settings

from livesync import metrics, signals
from livesync.models import Store as StoreRow
from livesync.services import announcer as announcer_module
from livesync.services.announcer import get_announcer
from livesync.services.import_target import ImportRequest
from livesync.services.importing import import_store
from livesync.services.stores import reset_store
from livesync.storage import get_engine, get_readers
from livesync.transports.consumers import SyncConsumer
from livesync.transports.routing import websocket_application
from syncsite.entrance import live
from tests import storage
from tests.clients import SyncClient, until
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.moving_files import write_durable_object
from tests.storage import STORE

Heard = list[dict[str, Any]]


@contextmanager
def listening(signal: Signal, receiver: Callable[..., Any] | None = None) -> Iterator[Heard]:
    """Write down what is sent, or call ``receiver``."""
    heard: Heard = []

    def note(**arguments: Any) -> None:
        heard.append(arguments)

    receiver = receiver or note
    signal.connect(receiver)
    try:
        yield heard
    finally:
        signal.disconnect(receiver)


only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


async def test_pushed_events_are_told_of_when_they_are_stored(store: Store) -> None:
    events = make_events(3)
    stored_then: list[list[int]] = []

    def look(store_id: str, **_: Any) -> None:
        stored_then.append(storage.numbers(get_engine(), store_id))

    with (
        listening(signals.events_pushed, look),
        listening(signals.events_pushed) as heard,
    ):
        pushed = await store.push(events)
        await until(lambda: len(heard) == 1)

    assert stored_then == [[1, 2, 3]]
    (told,) = heard
    age = datetime.now(UTC) - told.pop("created_at")
    assert age.total_seconds() < 3_600
    assert told == {
        "signal": signals.events_pushed,
        "sender": StoreRow,
        "store_id": STORE,
        "backend_id": pushed.backend_id,
        "events": events,
        "parent": 0,
        "head": 3,
    }


@only_sqlite
async def test_what_was_not_stored_is_not_told_of(store: Store) -> None:
    with listening(signals.events_pushed) as heard:
        for batch in (make_events(1, after=5), [], make_events(1)):
            await asyncio.gather(store.push(batch), return_exceptions=True)
        await until(lambda: len(heard) == 1)

    assert heard[0]["head"] == 1


@only_sqlite
async def test_pushes_are_told_of_in_the_order_of_their_commits(store: Store) -> None:
    others = [Store(f"other {number}") for number in range(3)]
    with listening(signals.events_pushed) as heard:
        for head in range(20):
            pushes = [one.push(make_events(1, after=head)) for one in (store, *others)]
            await asyncio.gather(*pushes)
        await until(lambda: len(heard) == 80)

    for one in (store, *others):
        heads = [told["head"] for told in heard if told["store_id"] == one.id]
        assert heads == list(range(1, 21))


async def test_a_new_store_is_told_of_once(store: Store) -> None:
    await store.push_elsewhere(make_events(1))
    with listening(signals.store_created) as heard:
        await asyncio.gather(*(Store("new").push([]) for _ in range(4)))
        await store.push(make_events(1, after=1))
        await Store("newer").push(make_events(1))
        await until(lambda: len(heard) == 2)
        get_announcer().stop()

    told = [(one["sender"], one["store_id"], one["backend_id"]) for one in heard]
    ids = [await Store(name).backend_id() for name in ("new", "newer")]
    assert told == [(StoreRow, "new", ids[0]), (StoreRow, "newer", ids[1])]


@only_sqlite
async def test_an_import_is_not_told_of(store: Store, tmp_path: Path) -> None:
    file = write_durable_object(tmp_path / "file", make_events(3), store_id=store.id)
    with (
        listening(signals.events_pushed) as pushed,
        listening(signals.store_created) as created,
    ):
        await get_readers().run(import_store, ImportRequest(file))
        await store.push(make_events(1, after=3))
        get_announcer().stop()

    assert await store.numbers() == [1, 2, 3, 4]
    assert [told["head"] for told in pushed] == [4]
    assert created == []


@only_sqlite
async def test_a_reset_is_told_of(store: Store) -> None:
    first = await store.push(make_events(2))
    with listening(signals.store_reset) as heard:
        done = await get_readers().run(partial(reset_store, store.id, by="a test"))
        await until(lambda: len(heard) == 1)

    assert heard == [
        {
            "signal": signals.store_reset,
            "sender": StoreRow,
            "store_id": STORE,
            "old_backend_id": first.backend_id,
            "backend_id": done.backend_id,
            "event_count": 2,
            "by": "a test",
        }
    ]


@only_sqlite
async def test_clients_are_told_of_when_they_come_and_go(store: Store, settings: Settings) -> None:
    settings.LIVESYNC = {**settings.LIVESYNC, "hooks": "livesync.hooks.OpenHooks"}
    with (
        listening(signals.client_connected) as come,
        listening(signals.client_disconnected) as gone,
    ):
        async with SyncClient(websocket_application, STORE, payload={"a": 1}) as client:
            await client.ping()
            await until(lambda: len(come) == 1)
            assert gone == []
        await until(lambda: len(gone) == 1)

    assert come[0]["sender"] is gone[0]["sender"] is SyncConsumer
    assert come[0]["context"] is gone[0]["context"]
    assert (come[0]["context"].store_id, come[0]["context"].payload) == (STORE, {"a": 1})
    assert come[0]["connected_at"] == gone[0]["connected_at"] <= gone[0]["disconnected_at"]


@only_sqlite
@pytest.mark.parametrize("error", [ValueError("a bug"), SystemExit(1)])
async def test_a_receiver_that_fails_harms_nothing(
    store: Store, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise error

    with listening(signals.events_pushed, fail):
        await store.push(make_events(1))
        await until(lambda: "receiver" in caplog.text or "send_robust" in caplog.text)
    with listening(signals.events_pushed) as heard:
        await store.push(make_events(1, after=1))
        await until(lambda: len(heard) == 1)

    assert await store.numbers() == [1, 2]


@only_sqlite
async def test_nobody_waits_for_a_receiver(store: Store) -> None:
    gate = threading.Event()
    threads: set[str] = set()

    def wait(**_: Any) -> None:
        threads.add(threading.current_thread().name)
        assert gate.wait(30)

    with listening(signals.events_pushed, wait):
        for head in range(5):
            await store.push(make_events(1, after=head))
        assert await store.numbers() == [1, 2, 3, 4, 5]
        gate.set()
        get_announcer().stop()

    assert threads == {"livesync-signals"}


@only_sqlite
async def test_a_receiver_may_be_async(store: Store) -> None:
    done: list[int] = []

    async def count(head: int, **_: Any) -> None:
        done.append(head)

    with listening(signals.events_pushed, count):
        await store.push(make_events(2))
        await until(lambda: done == [2])


@only_sqlite
async def test_what_slow_receivers_leave_waiting_is_bounded(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LIVESYNC = {**settings.LIVESYNC, "signals_max_bytes": 5_000}
    dropped = metrics.SIGNALS_DROPPED._value.get()
    gate = threading.Event()
    heads: list[int] = []

    def wait(head: int, **_: Any) -> None:
        assert gate.wait(30)
        heads.append(head)

    with listening(signals.events_pushed, wait), caplog.at_level(logging.WARNING):
        for head in range(6):
            await store.push(make_events(1, after=head))
        gate.set()
        get_announcer().stop()

    assert heads == [1, 2]
    assert metrics.SIGNALS_DROPPED._value.get() - dropped == 4
    assert caplog.text.count("signals are dropped") == 1


@only_sqlite
async def test_without_a_receiver_nothing_is_made_ready(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer_module, "get_announcer", lambda: pytest.fail("nobody listens"))

    await store.push(make_events(1))
    await get_readers().run(reset_store, store.id)

    assert await store.numbers() == []


@only_sqlite
async def test_a_server_that_stops_sends_what_waits(store: Store) -> None:
    heads: list[int] = []
    gate = threading.Event()

    def wait(head: int, **_: Any) -> None:
        assert gate.wait(30)
        heads.append(head)

    messages = asyncio.Queue[Any]()
    with listening(signals.events_pushed, wait):
        for head in range(3):
            await store.push(make_events(1, after=head))
        messages.put_nowait({"type": "lifespan.shutdown"})
        stopping = asyncio.create_task(live({"type": "lifespan"}, messages.get, messages.put))
        gate.set()
        await stopping

    assert messages.get_nowait() == {"type": "lifespan.shutdown.complete"}
    assert heads == [1, 2, 3]
