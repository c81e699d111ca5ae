"""What resets leave behind goes away by itself, little by little."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from livesync.conf import LivesyncSettings
from livesync.protocol.errors import StorageUnavailableError
from livesync.services import hub, purge
from livesync.services.hub import get_hub
from livesync.services.live_pull import LivePull
from livesync.services.purge import Purger, get_purger, purge_ended_histories, purge_if_needed
from livesync.storage import get_readers
from livesync.storage.database import DatabaseEngine
from tests.factories import make_events
from tests.storage import STORE, find, numbers, push

COUNT = "SELECT count(*) FROM livesync_storedevent"


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two events at a time, without a pause."""
    monkeypatch.setattr(purge, "PURGE_EVENTS", 2)
    monkeypatch.setattr(purge, "PAUSE_S", 0)


@pytest.fixture
def purger(engine: DatabaseEngine) -> Iterator[Purger]:
    purger = Purger()
    yield purger
    purger.stop()


def end_history(engine: DatabaseEngine, events: int) -> None:
    push(engine, make_events(events))
    engine.reset(STORE)


def test_everything_that_was_ended_is_deleted_in_small_steps(engine: DatabaseEngine) -> None:
    end_history(engine, 5)
    push(engine, make_events(3))

    steps = list(purge_ended_histories())

    assert steps == [2, 2, 1]
    assert numbers(engine) == [1, 2, 3]
    assert find(COUNT) == [(3,)]


def test_the_thread_ends_with_its_work(engine: DatabaseEngine, purger: Purger) -> None:
    end_history(engine, 5)

    purger.start()
    purger.join()

    assert find(COUNT) == [(0,)]
    assert "livesync-purger" not in {thread.name for thread in threading.enumerate()}


def test_a_start_while_it_works_is_not_forgotten(
    engine: DatabaseEngine, purger: Purger, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_history(engine, 3)
    engine_purge = DatabaseEngine.purge

    def reset_at_the_last_moment(engine: DatabaseEngine, *, max_events: int) -> int:
        deleted = engine_purge(engine, max_events=max_events)
        if not deleted and not again:
            # the thread believes that it is done
            again.append(1)
            end_history(engine, 4)
            purger.start()
        return deleted

    again: list[int] = []
    monkeypatch.setattr(DatabaseEngine, "purge", reset_at_the_last_moment)

    purger.start()
    purger.join()

    assert again
    assert find(COUNT) == [(0,)]


def test_a_stop_leaves_the_rest_for_later(
    engine: DatabaseEngine, purger: Purger, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_history(engine, 9)
    engine_purge = DatabaseEngine.purge
    stopping: list[threading.Thread] = []

    def stop_meanwhile(engine: DatabaseEngine, *, max_events: int) -> int:
        if not stopping:
            stopping.append(threading.Thread(target=purger.stop))
            stopping[0].start()
            purger._stopping.wait()
        return engine_purge(engine, max_events=max_events)

    monkeypatch.setattr(DatabaseEngine, "purge", stop_meanwhile)
    purger.start()
    purger.join()
    stopping[0].join()
    assert find(COUNT) == [(7,)]

    purger.start()
    purger.join()

    assert find(COUNT) == [(0,)]


def test_a_database_out_of_reach_ends_the_thread_until_the_next_start(
    engine: DatabaseEngine, purger: Purger, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_history(engine, 3)

    def fail(*_: Any, **__: Any) -> int:
        raise StorageUnavailableError

    with monkeypatch.context() as broken:
        broken.setattr(DatabaseEngine, "purge", fail)
        purger.start()
        purger.join()
    assert find(COUNT) == [(3,)]

    purger.start()
    purger.join()

    assert find(COUNT) == [(0,)]


def test_without_work_no_thread_is_started(
    engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Purger] = []
    monkeypatch.setattr(Purger, "start", lambda purger: started.append(purger))
    push(engine, make_events(2))
    purge_if_needed()
    assert not started

    engine.reset(STORE)
    purge_if_needed()

    assert started == [get_purger()]


class NoOutlet:
    def send_chunk(self, values: str) -> None:
        """Nobody listens."""

    def read_again(self) -> None:
        """Nobody reads."""


@pytest.mark.usefixtures("services")
async def test_the_tick_of_a_process_takes_up_what_another_has_left(
    engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "get_settings", lambda: LivesyncSettings(reconcile_interval_s=0.01))
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    start = Purger.start

    def start_and_tell(purger: Purger) -> None:
        start(purger)
        loop.call_soon_threadsafe(started.set)

    monkeypatch.setattr(Purger, "start", start_and_tell)
    await get_readers().run(end_history, engine, 5)

    get_hub().join(LivePull("another", None, NoOutlet()))
    await started.wait()
    await asyncio.to_thread(get_purger().join)

    assert await get_readers().run(find, COUNT) == [(0,)]
