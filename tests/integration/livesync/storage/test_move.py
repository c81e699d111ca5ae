"""A store moves between the engines: whole, with everything it has, whatever else goes on."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pytest_django import Settings

from livesync.models import Place, Store
from livesync.protocol.errors import (
    LivesyncError,
    ServerAheadError,
    StoreArrivingError,
    StoreHeldError,
    StoreNotFoundError,
)
from livesync.storage import move as moving
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Append, Appended, Engine, StoreState
from livesync.storage.files.engine import FilesEngine
from livesync.storage.files.move_lock import move_lock
from livesync.storage.move import StoreChangedError
from livesync.storage.routed import RoutedEngine
from tests.factories import make_chain, make_event, make_events
from tests.storage import ALIAS, STORE, details, numbers, push, read, rows, run_in_threads

NAMES = (Place.FILES, Place.DATABASE)

ENOUGH = 2_000
"""Most pushes while a store moves; on a slow machine the moves could take very many."""


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Iterator[RoutedEngine]:
    """A process of a site whose stores are in the central tables unless they are moved."""
    routed = RoutedEngine(DatabaseEngine(), FilesEngine(tmp_path / "stores", max_open=8))
    yield routed
    routed.stop()


@pytest.fixture
def other(engine: Engine, tmp_path: Path) -> Iterator[RoutedEngine]:
    """Another process of the same site."""
    routed = RoutedEngine(DatabaseEngine(), FilesEngine(tmp_path / "stores", max_open=8))
    yield routed
    routed.stop()


def move(site: RoutedEngine, to: Place, store_id: str = STORE) -> list[int]:
    return list(moving.move(site, store_id, to))


def test_everything_a_store_has_goes_along(site: RoutedEngine, other: RoutedEngine) -> None:
    odd = make_event(20_000, parent=2, name="\x1eé", args=None, client_id="c", session_id="s")
    push(site, make_events(2))
    push(site, [odd])
    before, events, slice_ = details(site), rows(site), read(site)

    for place in (*NAMES, *NAMES):
        move(site, place)

        for process in (site, other):
            after = details(process)
            assert after.place == place
            assert after._replace(**changed(before)) == before
            assert rows(process) == events
            assert read(process) == slice_
            assert read(process, 1, max_events=1).remaining == 1
            assert process.states([STORE])[STORE] == slice_.state
    assert (
        push(other, make_chain(20_001, after=20_000), backend_id=before.backend_id).head == 20_001
    )


def changed(before: Any) -> dict[str, Any]:
    """What a move changes."""
    kept = ("place", "generation", "oldest_generation", "last_push_at")
    return {field: getattr(before, field) for field in kept}


@pytest.mark.parametrize("to", NAMES)
def test_a_process_that_has_not_heard_appends_nothing_to_the_former_place(
    site: RoutedEngine, other: RoutedEngine, to: Place
) -> None:
    push(site, make_events(3))
    if to == Place.DATABASE:
        move(site, Place.FILES)
    assert numbers(other) == [1, 2, 3]

    move(site, to)

    assert push(other, make_events(2, after=3)).head == 5
    assert numbers(site) == numbers(other) == [1, 2, 3, 4, 5]
    assert other.states([STORE])[STORE].head == 5
    assert other.reset(STORE).event_count == 5
    assert read(site).state[1:] == (0, 0)


def test_a_file_that_is_being_filled_is_nobodys_store(
    site: RoutedEngine, other: RoutedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "SLICE_EVENTS", 2)
    push(site, make_events(5))
    move(site, Place.FILES)
    assert numbers(other) == [1, 2, 3, 4, 5]  # and remembers that it was in a file
    move(site, Place.DATABASE)
    steps = moving.move(site, STORE, Place.FILES)
    next(steps)

    with pytest.raises(ServerAheadError) as caught:
        push(other, make_events(1, after=2))
    assert caught.value.expected == 5
    assert numbers(other) == [1, 2, 3, 4, 5]
    assert push(other, make_events(1, after=5)).head == 6
    list(steps)

    assert push(other, make_events(1, after=6)).head == 7
    assert numbers(site) == [1, 2, 3, 4, 5, 6, 7]
    assert details(site).place == Place.FILES


def test_what_was_left_behind_is_purged(site: RoutedEngine) -> None:
    push(site, make_events(5))
    move(site, Place.FILES)
    assert site.ended_events(details(site)) == 5
    assert site.files.layout.file(STORE).exists()
    while site.purge(max_events=2):
        pass

    assert site.ended_events(details(site)) == 0
    move(site, Place.DATABASE)

    assert not site.files.layout.file(STORE).exists()
    assert site.lost_events(details(site)) == 0
    assert numbers(site) == [1, 2, 3, 4, 5]


def test_a_store_that_lives_there_stays(site: RoutedEngine) -> None:
    push(site, make_events(1))
    before = details(site)

    assert move(site, Place.DATABASE) == []

    assert details(site) == before


def test_only_a_store_that_is_served_can_be_moved(site: RoutedEngine) -> None:
    with pytest.raises(StoreNotFoundError):
        move(site, Place.FILES, "missing")

    site.begin_adoption("arriving", "identity")
    for place in NAMES:
        with pytest.raises(StoreArrivingError):
            move(site, place, "arriving")


def test_two_do_not_move_one_store_at_once(site: RoutedEngine) -> None:
    push(site, make_events(1))

    with move_lock(site.files.layout.lock(STORE)), pytest.raises(StoreHeldError):
        move(site, Place.FILES)

    move(site, Place.FILES)
    assert details(site).place == Place.FILES


@pytest.mark.parametrize("to", NAMES)
def test_a_store_that_is_reset_meanwhile_stays_and_is_reset(
    site: RoutedEngine, monkeypatch: pytest.MonkeyPatch, to: Place
) -> None:
    monkeypatch.setattr(moving, "SLICE_EVENTS", 2)
    push(site, make_events(5))
    if to == Place.DATABASE:
        move(site, Place.FILES)
    steps = moving.move(site, STORE, to)
    next(steps)

    done = site.reset(STORE)
    with pytest.raises(StoreChangedError):
        list(steps)

    assert details(site).place != to
    assert read(site).state == StoreState(done.backend_id, 0, 0)
    push(site, make_events(3))
    move(site, to)
    assert numbers(site) == [1, 2, 3]


class StopError(BaseException):
    """In the place of SIGKILL: nothing of what follows is carried out."""


@pytest.mark.parametrize("to", NAMES)
def test_wherever_a_move_is_stopped_the_store_is_whole_and_the_next_one_succeeds(
    site: RoutedEngine, other: RoutedEngine, monkeypatch: pytest.MonkeyPatch, to: Place
) -> None:
    monkeypatch.setattr(moving, "SLICE_EVENTS", 2)
    former = NAMES[NAMES.index(to) - 1]
    push(site, make_events(5))
    head, point = 5, 0
    while True:
        if details(site).place != former:
            move(site, former)
        with monkeypatch.context() as patch:
            stops = stop_at(patch, site, point)
            try:
                move(site, to)
            except StopError:
                connections[ALIAS].close()
                site.files.open_files.close_all()
        if not stops:
            break
        point += 1

        assert numbers(other) == list(range(1, head + 1))
        head = push(other, make_events(1, after=head)).head
        assert numbers(other) == numbers(site) == list(range(1, head + 1))

    assert point >= 6
    assert details(site).place == to
    assert numbers(other) == list(range(1, head + 1))
    assert other.lost_events(details(other)) == 0


def stop_at(patch: pytest.MonkeyPatch, site: RoutedEngine, point: int) -> list[str]:
    """Stop at the n-th thing that a move writes; holds its name once that has happened."""
    steps: list[str] = []
    stops: list[str] = []

    def stopping(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            steps.append(name)
            if stops or len(steps) > point:
                stops.append(name)
                raise StopError(name)
            return function(*args, **options)

        return step

    for name in ("place", "adopt", "set_frozen", "remove"):
        patch.setattr(site.files, name, stopping(name, getattr(site.files, name)))
    patch.setattr(site, "thaw", stopping("thaw", site.thaw))
    patch.setattr(Store, "save", stopping("save", Store.save))
    return stops


@pytest.mark.parametrize("to", NAMES)
def test_nothing_is_lost_or_doubled_while_others_push(
    site: RoutedEngine, other: RoutedEngine, monkeypatch: pytest.MonkeyPatch, to: Place
) -> None:
    monkeypatch.setattr(moving, "SLICE_EVENTS", 20)
    push(site, make_events(50))
    backend_id = details(site).backend_id
    accepted: list[int] = []
    is_moved = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            try:
                for _ in range(3):
                    for place in (Place.FILES, Place.DATABASE):
                        move_patiently(site, place)
                move_patiently(site, to)
            finally:
                is_moved.set()
            return
        head = 50
        while not is_moved.is_set() and len(accepted) < ENOUGH:
            state = other.states([STORE]).get(STORE)
            head = state.head if state else head
            (outcome,) = other.commit([Append(STORE, backend_id, make_events(2, after=head))])
            if isinstance(outcome, Appended):
                accepted.append(outcome.head)
            else:
                assert isinstance(outcome, ServerAheadError | StoreHeldError)

    run_in_threads(3, work)

    assert accepted
    assert len(set(accepted)) == len(accepted)
    assert details(site).place == to
    assert numbers(site) == numbers(other) == list(range(1, max(accepted) + 1))
    assert sorted(accepted) == list(range(52, max(accepted) + 1, 2))
    assert read(other).state == StoreState(backend_id, max(accepted), max(accepted))


def move_patiently(site: RoutedEngine, to: Place) -> None:
    while True:
        try:
            move(site, to)
        except StoreHeldError:  # somebody was looking whether a move was cut off
            continue
        return


def test_the_service_needs_a_place_for_files(engine: Engine, settings: Settings) -> None:
    from livesync.services.move import NoFilesError, move_store
    from livesync.storage import get_engine

    settings.LIVESYNC = {**settings.LIVESYNC, "files_directory": ""}
    get_engine.cache_clear()

    with pytest.raises(NoFilesError) as caught:
        list(move_store(STORE, Place.FILES))

    assert isinstance(caught.value, LivesyncError)
