"""A reset ends a history at once; what it leaves behind is deleted later, in pieces."""

import pytest
from django.db import connections, transaction

from livesync.protocol.errors import (
    BackendIdMismatchError,
    StorageUnavailableError,
    StoreNotFoundError,
)
from livesync.storage import transactions
from livesync.storage.engine import Engine, Slice, StoreState
from livesync.storage.files import store_files
from tests.factories import make_events
from tests.storage import (
    ALIAS,
    STORE,
    execute,
    held_store,
    kept_events,
    numbers,
    own_connection,
    push,
    read,
    stored_events,
)


def test_a_store_starts_over_under_a_new_id(engine: Engine) -> None:
    before = push(engine, make_events(3))

    done = engine.reset(STORE)

    assert (done.store_id, done.old_backend_id) == (STORE, before.backend_id)
    assert done.event_count == 3
    assert read(engine) == Slice(StoreState(done.backend_id, 0, 0), [], [], 0)
    assert done.backend_id != before.backend_id
    with pytest.raises(BackendIdMismatchError):
        push(engine, make_events(1), backend_id=before.backend_id)
    push(engine, make_events(2, name="new"), backend_id=done.backend_id)
    assert [event["name"] for event in stored_events(engine)] == ["new", "new"]


def test_other_stores_are_not_touched(engine: Engine) -> None:
    push(engine, make_events(2), to="other")
    push(engine, make_events(2))
    before = engine.states(["other"])

    engine.reset(STORE)
    engine.purge(max_events=100)

    assert engine.states(["other"]) == before
    assert numbers(engine, "other") == [1, 2]


def test_only_a_store_that_exists_can_be_reset(engine: Engine) -> None:
    with pytest.raises(StoreNotFoundError, match="missing"):
        engine.reset("missing")

    assert engine.states(["missing"]) == {}


def test_a_caller_inside_a_transaction_is_told_at_once(engine: Engine) -> None:
    push(engine, make_events(1))

    with pytest.raises(RuntimeError, match=r"durable|atomic"), transaction.atomic("livesync"):
        engine.reset(STORE)

    assert numbers(engine) == [1]


def test_purging_deletes_what_was_ended_piece_by_piece(engine: Engine) -> None:
    push(engine, make_events(5))
    engine.reset(STORE)
    push(engine, make_events(3))
    engine.reset(STORE)
    push(engine, make_events(2))

    deleted = [engine.purge(max_events=4) for _ in range(4)]

    assert sum(deleted) == 8
    assert max(deleted) <= 4
    assert deleted[-1] == 0
    assert not engine.has_ended_events()
    assert kept_events(engine) == 2
    assert numbers(engine) == [1, 2]


def test_purging_goes_on_to_the_next_store(engine: Engine) -> None:
    counts = {"empty": 0, "exactly one piece": 2, "more": 3}
    for name, count in counts.items():
        push(engine, make_events(count), to=name)
        engine.reset(name)
    assert engine.has_ended_events()

    deleted = 0
    while piece := engine.purge(max_events=2):
        deleted += piece

    assert deleted == 5
    assert not engine.has_ended_events()
    assert [kept_events(engine, name) for name in counts] == [0, 0, 0]


def test_without_a_reset_there_is_nothing_to_purge(engine: Engine) -> None:
    push(engine, make_events(3))

    assert engine.purge(max_events=100) == 0
    assert numbers(engine) == [1, 2, 3]


@pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)
def test_who_finds_nothing_free_to_delete_does_not_call_the_store_clean(
    engine: Engine,
) -> None:
    push(engine, make_events(3))
    engine.reset(STORE)
    with own_connection() as other:
        execute(other, "BEGIN")
        execute(other, "DELETE FROM livesync_storedevent")

        assert engine.purge(max_events=10) == 0
        assert engine.has_ended_events()

        execute(other, "ROLLBACK")
    assert engine.purge(max_events=10) == 3


def test_a_database_that_is_held_is_told_as_out_of_reach(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = push(engine, make_events(1))
    monkeypatch.setattr(transactions, "_LOCK_TIMEOUT", "10ms")
    monkeypatch.setattr(store_files, "_BUSY_MS", 10)
    with held_store(engine):
        if connections[ALIAS].vendor == "sqlite":
            execute(connections[ALIAS], "PRAGMA busy_timeout = 10")

        with pytest.raises(StorageUnavailableError):
            engine.reset(STORE)

    assert engine.states([STORE])[STORE].backend_id == before.backend_id
    assert engine.reset(STORE).old_backend_id == before.backend_id
