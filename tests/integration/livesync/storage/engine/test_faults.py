"""A fault of the database that passes is told as such, and leaves nothing behind."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections
from django.db.backends.signals import connection_created

from livesync.protocol.errors import StorageUnavailableError, StoreHeldError
from livesync.storage.engine import Append, Appended, Engine
from tests.factories import make_events
from tests.storage import (
    ALIAS,
    STATEMENTS,
    STORE,
    execute,
    held_store,
    hold_store,
    numbers,
    own_connection,
    push,
    terminate,
)

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)


@only_postgresql
def test_a_connection_that_died_in_between_is_replaced(engine: Engine) -> None:
    push(engine, make_events(1))

    terminate(connections[ALIAS])
    assert push(engine, make_events(1, after=1)).head == 2

    terminate(connections[ALIAS])
    assert numbers(engine) == [1, 2]


def test_a_store_that_somebody_holds_is_out_of_reach_and_unharmed(
    engine: Engine, vendor: str
) -> None:
    push(engine, make_events(1))
    if vendor == "sqlite":
        execute(connections[ALIAS], "PRAGMA busy_timeout = 50")

    with held_store(engine), pytest.raises(StorageUnavailableError):
        push(engine, make_events(1, after=1))

    assert push(engine, make_events(1, after=1)).head == 2


@only_postgresql
def test_a_store_that_somebody_holds_is_passed_over(engine: Engine) -> None:
    push(engine, make_events(1))
    push(engine, make_events(1), to="free")
    appends = [
        Append(STORE, None, make_events(1, after=1)),
        Append("free", None, make_events(1, after=1)),
        Append(STORE, None, make_events(1, after=2)),
        Append("new", None, make_events(1)),
    ]

    with own_connection() as other:
        hold_store(other)
        first, free, second, new = engine.commit(appends)

    assert [type(outcome) for outcome in (first, second)] == [StoreHeldError] * 2
    assert isinstance(free, Appended)
    assert isinstance(new, Appended)
    assert numbers(engine) == [1]
    assert (numbers(engine, "free"), numbers(engine, "new")) == ([1, 2], [1])
    again = engine.commit([appends[0], appends[2]])
    assert [type(outcome) for outcome in again] == [Appended] * 2


@only_postgresql
def test_a_store_that_somebody_is_making_is_passed_over(engine: Engine) -> None:
    push(engine, make_events(1), to="free")
    insert = (
        "INSERT INTO livesync_store (store_id, backend_id, created_at, generation,"
        " oldest_generation, head, event_count, byte_count) VALUES (%s, 'x', now(), 1, 1, 0, 0, 0)"
    )

    with own_connection() as other:
        execute(other, "BEGIN")
        execute(other, insert, STORE)
        made, free, new = engine.commit(
            [
                Append(STORE, None, make_events(1)),
                Append("free", None, make_events(1, after=1)),
                Append("new", None, make_events(1)),
            ]
        )

    assert isinstance(made, StoreHeldError)
    assert isinstance(free, Appended)
    assert isinstance(new, Appended)
    assert push(engine, make_events(1)).backend_id != "x"


@only_postgresql
def test_a_store_is_waited_for_again_once_it_was_found_free(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing_over = STATEMENTS["postgresql"].lock_free_stores
    calls: list[int] = []

    def count(*args: Any) -> Any:
        calls.append(1)
        return passing_over(*args)

    monkeypatch.setattr(STATEMENTS["postgresql"], "lock_free_stores", count)
    push(engine, make_events(1))
    with own_connection() as other:
        hold_store(other)
        for _ in range(3):
            with pytest.raises(StoreHeldError):
                push(engine, make_events(1, after=1))
        push(engine, [], to="another")
    assert len(calls) == 3

    push(engine, make_events(1, after=1))
    assert len(calls) == 4
    push(engine, make_events(1, after=2))
    assert len(calls) == 4


def test_reading_waits_for_no_lock(engine: Engine) -> None:
    push(engine, make_events(1))

    with held_store(engine):
        assert numbers(engine) == [1]
        assert engine.states([STORE])[STORE].head == 1


@contextmanager
def full_disk() -> Iterator[None]:
    """No connection, this one or a new one, may let the file grow."""

    def limit(connection: Any, **_: Any) -> None:
        execute(connection, "PRAGMA max_page_count = 1")  # which means: as large as it is

    execute(connections[ALIAS], "VACUUM")  # pages that earlier tests have freed would be room
    limit(connections[ALIAS])
    connection_created.connect(limit)
    try:
        yield
    finally:
        connection_created.disconnect(limit)
        connections[ALIAS].close()


@only_sqlite
def test_a_full_disk_refuses_pushes_and_lets_reads_go_on_until_there_is_room(
    engine: Engine,
) -> None:
    push(engine, make_events(1))
    large = make_events(50, after=1, args=json.dumps("x" * 10_000))

    with full_disk():
        with pytest.raises(StorageUnavailableError):
            engine.commit([Append(STORE, None, large)])
        assert numbers(engine) == [1]

    assert push(engine, large).head == 51
