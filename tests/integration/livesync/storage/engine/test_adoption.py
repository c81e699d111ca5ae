"""A history from elsewhere is taken in whole: with its identity, its numbers and its times."""

import pytest

from livesync.protocol.errors import (
    BackendIdMismatchError,
    ServerAheadError,
    StoreArrivingError,
    StoreNotFoundError,
)
from livesync.protocol.events import Event
from livesync.storage.engine import Engine, StoreState, TimedEvent
from tests.factories import make_chain, make_event, make_events
from tests.storage import STORE, numbers, push, read, stored_events

IDENTITY = "an-identity-from-elsewhere"


def timed(events: list[Event], *, year: int = 2024) -> list[TimedEvent]:
    """The events, each stored in another second of ``year``."""
    return [
        TimedEvent(event, f"{year}-01-02T03:04:{number % 60:02}.678Z")
        for number, event in enumerate(events)
    ]


def test_a_history_arrives_with_its_identity_numbers_and_times(engine: Engine) -> None:
    odd = make_event(20_000, parent=2, name="\x1eé", args=None, client_id="c", session_id="s")

    assert engine.begin_adoption(STORE, IDENTITY) == StoreState(IDENTITY, 0, 0)
    engine.adopt(STORE, IDENTITY, timed(make_events(2)))
    engine.adopt(STORE, IDENTITY, timed([odd], year=2025))
    assert engine.end_adoption(STORE, IDENTITY) == StoreState(IDENTITY, 20_000, 3)

    assert [text.partition('"createdAt":')[2][:26] for text in read(engine).events] == [
        '"2024-01-02T03:04:00.678Z"',
        '"2024-01-02T03:04:01.678Z"',
        '"2025-01-02T03:04:00.678Z"',
    ]
    last = stored_events(engine)[-1]
    assert (last["name"], last["args"], last["seqNum"]) == ("\x1eé", None, "20000")
    assert read(engine, 2).remaining == 0
    assert push(engine, make_chain(20_001, after=20_000), backend_id=IDENTITY).head == 20_001
    details = engine.inspect(STORE)
    assert details is not None
    assert (details.event_count, details.byte_count) == (4, 3 * 5 + 3 * 16 + 3)


def test_nobody_is_served_before_the_end(engine: Engine) -> None:
    engine.begin_adoption(STORE, IDENTITY)
    engine.adopt(STORE, IDENTITY, timed(make_events(2)))

    for batch in ([], make_events(1), make_events(1, after=2)):
        with pytest.raises(StoreArrivingError):
            push(engine, batch)
    with pytest.raises(StoreArrivingError):
        read(engine)
    assert engine.states([STORE]) == {}

    assert push(engine, make_events(1), to="another").head == 1


def test_what_was_cut_off_goes_on_where_it_was(engine: Engine) -> None:
    engine.begin_adoption(STORE, IDENTITY)
    engine.adopt(STORE, IDENTITY, timed(make_events(2)))

    assert engine.begin_adoption(STORE, IDENTITY) == StoreState(IDENTITY, 2, 2)
    with pytest.raises(ServerAheadError):
        engine.adopt(STORE, IDENTITY, timed(make_events(2)))
    engine.adopt(STORE, IDENTITY, timed(make_events(2, after=2)))
    engine.end_adoption(STORE, IDENTITY)

    assert numbers(engine) == [1, 2, 3, 4]


def test_a_store_with_the_same_history_is_continued_while_it_is_served(
    engine: Engine,
) -> None:
    identity = push(engine, make_events(2)).backend_id

    assert engine.begin_adoption(STORE, identity) == StoreState(identity, 2, 2)
    assert numbers(engine) == [1, 2]
    engine.adopt(STORE, identity, timed(make_events(1, after=2)))
    assert push(engine, make_events(1, after=3)).head == 4
    with pytest.raises(ServerAheadError):
        engine.adopt(STORE, identity, timed(make_events(1, after=3)))
    engine.end_adoption(STORE, identity)

    assert numbers(engine) == [1, 2, 3, 4]


def test_another_history_is_not_replaced(engine: Engine) -> None:
    identity = push(engine, make_events(2)).backend_id

    for replace_empty in (False, True):
        with pytest.raises(BackendIdMismatchError):
            engine.begin_adoption(STORE, IDENTITY, replace_empty=replace_empty)
    with pytest.raises(BackendIdMismatchError):
        engine.adopt(STORE, IDENTITY, timed(make_events(1, after=2)))

    assert read(engine).state == StoreState(identity, 2, 2)


def test_an_empty_one_is_if_that_is_wanted(engine: Engine) -> None:
    push(engine, [])

    with pytest.raises(BackendIdMismatchError):
        engine.begin_adoption(STORE, IDENTITY)
    engine.begin_adoption(STORE, IDENTITY, replace_empty=True)
    engine.adopt(STORE, IDENTITY, timed(make_events(1)))
    engine.end_adoption(STORE, IDENTITY)

    assert read(engine).state == StoreState(IDENTITY, 1, 1)


def test_nothing_is_taken_in_before_the_beginning(engine: Engine) -> None:
    with pytest.raises(StoreNotFoundError):
        engine.adopt(STORE, IDENTITY, timed(make_events(1)))
    with pytest.raises(StoreNotFoundError):
        engine.end_adoption(STORE, IDENTITY)

    assert engine.inspect(STORE) is None


def test_what_was_never_served_can_be_dropped(engine: Engine) -> None:
    engine.begin_adoption(STORE, IDENTITY)
    engine.adopt(STORE, IDENTITY, timed(make_events(2)))
    push(engine, make_events(1), to="served")

    for store_id in (STORE, "served", "missing"):
        engine.drop_adoption(store_id)

    assert engine.inspect(STORE) is None
    assert numbers(engine, "served") == [1]
    assert push(engine, make_events(1)).backend_id != IDENTITY
