"""A batch is stored whole or not at all, whatever fails in the middle.

Where each store has a commit of its own, what fails is the outcome of its appends.
"""

import sqlite3

import pytest
from django.db import DatabaseError

from livesync.storage.engine import Append, Appended, Engine
from livesync.storage.routed import RoutedEngine
from tests.factories import make_events
from tests.storage import (
    STORE,
    central,
    details,
    execute,
    find,
    numbers,
    own_connection,
    push,
    store_connection,
)

FAULTS = (DatabaseError, sqlite3.IntegrityError)


@pytest.fixture
def planted(engine: Engine) -> int:
    """An event that should not be there: number 4 of a store whose head is 2."""
    push(engine, make_events(2))
    if isinstance(engine, RoutedEngine):
        with store_connection(engine) as other:
            other.execute("INSERT INTO eventlog_7_store VALUES (4, 3, 'planted', NULL, '', '', '')")
        return 0
    ((key,),) = find("SELECT id FROM livesync_store")
    with own_connection() as other:
        execute(
            other,
            "INSERT INTO livesync_storedevent (store_id, generation, seq_num, parent_seq_num,"
            " ordinal, name, client_id, session_id, created_at)"
            " VALUES (%s, 1, 4, 3, 1, 'planted', '', '', '')",
            key,
        )
    return int(key)


def commit(engine: Engine, *appends: Append) -> None:
    """Commit; what is the outcome of an append is raised as if it were that of all."""
    for outcome in engine.commit(appends):
        if isinstance(outcome, Exception):
            raise outcome


@pytest.mark.parametrize("count", [5, 65])
def test_when_one_insert_fails_no_event_of_the_batch_is_stored(
    engine: Engine, planted: int, count: int
) -> None:
    before = details(engine)

    with pytest.raises(FAULTS):
        commit(engine, Append(STORE, None, make_events(count, after=2)))

    assert numbers(engine) == [1, 2, 4]
    assert details(engine) == before


@central
def test_when_one_insert_fails_no_batch_of_the_group_is_stored(
    engine: Engine, planted: int
) -> None:
    with pytest.raises(DatabaseError):
        engine.commit(
            [
                Append("neighbour", None, make_events(2)),
                Append(STORE, None, make_events(5, after=2)),
            ]
        )

    assert numbers(engine, "neighbour") == []
    assert "neighbour" not in engine.states(["neighbour"])


@pytest.mark.parametrize("vendor", ["files"], indirect=True)
def test_a_store_in_a_file_of_its_own_harms_no_other(engine: Engine, planted: int) -> None:
    neighbour, before, amid = engine.commit(
        [
            Append("neighbour", None, make_events(2)),
            Append(STORE, None, make_events(1, after=2)),
            Append(STORE, None, make_events(5, after=3)),
        ]
    )

    assert isinstance(neighbour, Appended)
    assert isinstance(before, Appended)
    assert isinstance(amid, sqlite3.IntegrityError)
    assert numbers(engine, "neighbour") == [1, 2]
    assert numbers(engine) == [1, 2, 3, 4]


def test_the_next_commit_works(engine: Engine, planted: int) -> None:
    with pytest.raises(FAULTS):
        commit(engine, Append(STORE, None, make_events(5, after=2)))

    assert push(engine, make_events(1, after=2)).head == 3
