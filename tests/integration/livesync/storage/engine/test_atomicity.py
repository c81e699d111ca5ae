"""A batch is stored whole or not at all, whatever fails in the middle."""

import pytest
from django.db import DatabaseError

from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Append
from tests.factories import make_events
from tests.storage import STORE, execute, find, numbers, own_connection, push


@pytest.fixture
def planted(engine: DatabaseEngine) -> int:
    """An event that should not be there: number 4 of a store whose head is 2."""
    push(engine, make_events(2))
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


@pytest.mark.parametrize("count", [5, 65])
def test_when_one_insert_fails_no_event_of_the_batch_is_stored(
    engine: DatabaseEngine, planted: int, count: int
) -> None:
    before = find("SELECT * FROM livesync_store")

    with pytest.raises(DatabaseError):
        engine.commit([Append(STORE, None, make_events(count, after=2))])

    assert numbers(engine) == [1, 2, 4]
    assert find("SELECT * FROM livesync_store") == before


def test_when_one_insert_fails_no_batch_of_the_group_is_stored(
    engine: DatabaseEngine, planted: int
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


def test_the_next_commit_works(engine: DatabaseEngine, planted: int) -> None:
    with pytest.raises(DatabaseError):
        engine.commit([Append(STORE, None, make_events(5, after=2))])

    assert push(engine, make_events(1, after=2)).head == 3
