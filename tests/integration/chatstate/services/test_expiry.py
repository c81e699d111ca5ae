"""The clean-up: everything that has expired goes, nothing that is live does."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256

import pytest
from django.db import connections
from django.db.models import F
from msgspec import Raw

from chatstate.models import (
    CacheEntry,
    CleanUp,
    HeldLock,
    KeptAnswer,
    ListHead,
    ListItem,
    QueuedEntry,
)
from chatstate.protocol.errors import UnavailableError
from chatstate.protocol.operations import (
    AcquireLock,
    AppendToList,
    Enqueue,
    Get,
    GetList,
    Operation,
    Set,
    Subscribe,
)
from chatstate.services import expiry
from chatstate.services.expiry import clean_up, count_expired
from chatstate.storage.database import ShardDatabase
from chatstate.storage.expiry import Batch, Counts, remove
from chatstate.storage.jobs import Job, Result
from chatstate.storage.steps import Piece

ALIAS = "chatstate"
LONG_MS = 3_600_000
YEAR_MS = 365 * 24 * LONG_MS


def do(database: ShardDatabase, *operations: Operation, namespace: str = "bot") -> list[Result]:
    (done,) = database.commit([Job(namespace, "default", operations)])
    return list(done.results)


def store(database: ShardDatabase, *names: str) -> None:
    """Of each kind something that expires, and a subscription, which does not."""
    value = Raw(b"1")
    for name in names:
        do(
            database,
            Subscribe(thread_id=name),
            AcquireLock(thread_id=name, ttl_ms=LONG_MS),
            Set(key=name, value=value, ttl_ms=LONG_MS),
            *(AppendToList(key=name, value=value, ttl_ms=LONG_MS) for _ in range(3)),
            *(Enqueue(thread_id=name, message=value, enqueued_at=0, expires_at=LONG_MS),) * 2,
        )
        # not by an operation with a request id, which would forget what has expired
        KeptAnswer.objects.using(ALIAS).create(
            namespace="bot",
            request_id=name,
            operation_digest=b"",
            answer="1",
            expires_at_ms=CacheEntry.objects.using(ALIAS).latest("pk").expires_at_ms,
        )


def expire() -> None:
    """Let everything that is stored, and expires at all, have expired long ago."""
    for model in (HeldLock, CacheEntry, ListHead, QueuedEntry, KeptAnswer):
        model.objects.using(ALIAS).update(expires_at_ms=F("expires_at_ms") - YEAR_MS)


def rows() -> Counts:
    """How many rows there are, live or not."""
    models = (HeldLock, CacheEntry, ListHead, ListItem, QueuedEntry, KeptAnswer)
    return Counts(*(model.objects.using(ALIAS).count() for model in models))


@contextmanager
def rows_held(name: str) -> Iterator[None]:
    """The rows of ``store`` while another transaction has them."""
    other = connections.create_connection(ALIAS)
    by_digest = [sha256(name.encode()).digest()]
    with closing(other), other.cursor() as cursor:
        cursor.execute("BEGIN")
        for table in ("heldlock", "cacheentry", "listhead", "queuedentry"):
            held = f"SELECT 1 FROM chatstate_{table} WHERE key_digest = %s FOR UPDATE"
            cursor.execute(held, by_digest)
        held = "SELECT 1 FROM chatstate_keptanswer WHERE request_id = %s FOR UPDATE"
        cursor.execute(held, [name])
        yield
        # the server may notice later that a connection was closed
        cursor.execute("ROLLBACK")


def no_pause(_: float) -> None:
    """For tests that want all of it at once."""


def test_what_has_expired_goes_and_what_lives_stays(chat_database: ShardDatabase) -> None:
    store(chat_database, "old")
    do(chat_database, Set(key="for ever", value=Raw(b"1")))
    expire()
    store(chat_database, "new")
    assert rows() == Counts(2, 3, 2, 6, 4, 2)

    expected = Counts(1, 1, 1, 3, 2, 1)
    assert count_expired(ALIAS) == expected
    assert clean_up(ALIAS, pause=no_pause) == expected

    assert rows() == Counts(1, 2, 1, 3, 2, 1)
    assert clean_up(ALIAS, pause=no_pause) == Counts()
    assert do(chat_database, Get(key="for ever"), Get(key="new")) == ["1", "1"]
    assert HeldLock.objects.using(ALIAS).get().thread_id == b"new"


def test_the_oldest_go_first_and_no_more_than_asked_for(chat_database: ShardDatabase) -> None:
    for name in "cab":
        store(chat_database, name)
        expire()

    for kind, removed in (("locks", Counts(locks=2)), ("cache_entries", Counts(cache_entries=2))):
        assert remove(ALIAS, kind, max_rows=2).counts == removed
    assert remove(ALIAS, "queue_entries", max_rows=5).counts == Counts(queue_entries=5)

    assert bytes(HeldLock.objects.using(ALIAS).get().thread_id) == b"b"
    assert bytes(CacheEntry.objects.using(ALIAS).get().key) == b"b"
    assert bytes(QueuedEntry.objects.using(ALIAS).get().thread_id) == b"b"


def test_a_list_larger_than_a_batch_goes_bit_by_bit(chat_database: ShardDatabase) -> None:
    do(chat_database, *(AppendToList(key="k", value=Raw(b"1"), ttl_ms=1) for _ in range(7)))
    expire()

    removed = [remove(ALIAS, "lists", max_rows=3).counts for _ in range(4)]

    counts = [(batch.list_items, batch.lists) for batch in removed]
    assert counts == [(3, 0), (3, 0), (1, 1), (0, 0)]


def test_a_list_that_lives_again_meanwhile_survives(chat_database: ShardDatabase) -> None:
    do(chat_database, *(AppendToList(key="k", value=Raw(b"1"), ttl_ms=1) for _ in range(7)))
    expire()
    remove(ALIAS, "lists", max_rows=3)

    do(chat_database, AppendToList(key="k", value=Raw(b"2"), ttl_ms=LONG_MS))

    assert clean_up(ALIAS, pause=no_pause) == Counts()
    assert do(chat_database, GetList(key="k")) == [Piece(["2"], 8)]
    assert ListItem.objects.using(ALIAS).count() == 1


def test_a_list_of_the_same_key_can_begin_again(chat_database: ShardDatabase) -> None:
    do(chat_database, *(AppendToList(key="k", value=Raw(b"1"), ttl_ms=1) for _ in range(2)))
    expire()
    clean_up(ALIAS, pause=no_pause)

    do(chat_database, *(AppendToList(key="k", value=Raw(b"%d" % n)) for n in range(3)))

    assert do(chat_database, GetList(key="k")) == [Piece(["0", "1", "2"], 3)]


@pytest.mark.parametrize("vendor", ["postgresql"])
def test_what_somebody_holds_is_passed_over(chat_database: ShardDatabase) -> None:
    store(chat_database, "held", "free")
    expire()

    with rows_held("held"):
        assert clean_up(ALIAS, pause=no_pause) == Counts(1, 1, 1, 3, 2, 1)

    assert clean_up(ALIAS, pause=no_pause) == Counts(1, 1, 1, 3, 2, 1)


def test_two_that_clean_up_at_once_delete_everything_once(chat_database: ShardDatabase) -> None:
    for number in range(40):
        store(chat_database, f"old {number}")
    expire()
    store(chat_database, "new")
    found: list[Counts] = []

    def work() -> None:
        found.append(clean_up(ALIAS, batch_rows=7, pause=no_pause))
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found.append(clean_up(ALIAS, pause=no_pause))
    total = Counts(*map(sum, zip(*found, strict=True)))
    assert total == Counts(40, 40, 40, 120, 80, 40)
    assert rows() == Counts(1, 1, 1, 3, 2, 1)


def test_a_run_stops_when_it_is_told_and_gives_way(chat_database: ShardDatabase) -> None:
    for number in range(3):
        store(chat_database, f"old {number}")
    expire()
    pauses: list[float] = []

    removed = clean_up(ALIAS, batch_rows=1, until=lambda: len(pauses) == 7, pause=pauses.append)

    # one batch of each kind in turn
    assert (removed.locks, removed.cache_entries, removed.answers) == (2, 2, 1)
    assert min(pauses) >= expiry.PAUSE_S


def test_a_batch_is_as_large_as_fits_into_its_time() -> None:
    def next_rows(rows: int, *, took_s: float) -> int:
        return expiry._next_rows(rows, Batch(Counts(locks=rows), took_s), 1_000)

    goal_s = expiry.HELD_S
    assert next_rows(100, took_s=goal_s) == 100
    assert next_rows(100, took_s=goal_s / 1.5) == 150
    assert next_rows(100, took_s=goal_s / 50) == 200
    assert next_rows(100, took_s=goal_s * 50) == 50
    assert next_rows(900, took_s=goal_s / 50) == 1_000
    assert next_rows(60, took_s=goal_s * 50) == 50
    assert next_rows(100, took_s=0.0) == 200


def test_each_run_is_noted_and_the_last_are_kept(
    chat_database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "KEPT_RUNS", 2)
    store(chat_database, "old")
    expire()

    for _ in range(4):
        clean_up(ALIAS, pause=no_pause)

    runs = CleanUp.objects.using(ALIAS).all()
    assert [run.removed_locks for run in runs] == [0, 0]
    assert all(run.database == ALIAS and run.ended_at >= run.started_at for run in runs)


def test_a_database_that_does_not_answer_is_told(
    chat_database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connections[ALIAS]
    connection.close()
    config = {**connection.settings_dict, "NAME": "/not/there"}

    with monkeypatch.context() as patch:
        patch.setattr(connection, "settings_dict", config)
        for ask in (count_expired, clean_up):
            with pytest.raises(UnavailableError):
                ask(ALIAS)
