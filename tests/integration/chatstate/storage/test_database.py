"""Jobs in a database: what belongs to the transaction, not to one kind of operation."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import Any

import msgspec
import pytest
from django.db import connections
from msgspec import Raw
from pytest_django import Settings

from chatstate.models import HeldLock, KeptAnswer, ListHead, ListItem, QueuedEntry, Shard
from chatstate.protocol.errors import BusyError, ConflictError, FrozenError, UnavailableError
from chatstate.protocol.operations import (
    AcquireLock,
    AppendToList,
    Dequeue,
    EndHold,
    Enqueue,
    ForceReleaseLock,
    Get,
    GetList,
    GetMore,
    IsSubscribed,
    Operation,
    ReleaseLock,
    Set,
    Subscribe,
)
from chatstate.storage import lists, postgresql, queues, sqlite
from chatstate.storage.context import Context
from chatstate.storage.database import ShardDatabase
from chatstate.storage.errors import CommitBrokenError
from chatstate.storage.jobs import Job, Result
from chatstate.storage.steps import Piece


def do(database: ShardDatabase, *operations: Operation, namespace: str = "bot") -> list[Result]:
    (done,) = database.commit([Job(namespace, "default", operations)])
    return list(done.results)


def text(value: str) -> Raw:
    return Raw(value.encode())


def append(value: int, **options: Any) -> AppendToList:
    return AppendToList(key="list", value=text(str(value)), **options)


def test_operations_of_a_group_see_each_other_in_their_order(chat_database: ShardDatabase) -> None:
    results = do(
        chat_database,
        Get(key="k"),
        Set(key="k", value=text('{"b": 1, "a": "\\u0000", "a": 1e400}')),
        Get(key="k"),
        Subscribe(thread_id="t"),
        IsSubscribed(thread_id="t"),
    )

    assert results == ["null", "null", '{"b": 1, "a": "\\u0000", "a": 1e400}', "null", "true"]


def test_one_who_asks_again_gets_the_first_answer(chat_database: ShardDatabase) -> None:
    acquire = AcquireLock(id=1, thread_id="t", ttl_ms=60_000, request_id="r1")
    other = AcquireLock(id=2, thread_id="t", ttl_ms=60_001, request_id="r1")
    again = AcquireLock(id=9, thread_id="t", ttl_ms=60_000, request_id="r1")

    first, in_the_same_group = do(chat_database, acquire, again)

    assert first == in_the_same_group == do(chat_database, again)[0]
    assert isinstance(do(chat_database, other)[0], ConflictError)
    assert do(chat_database, again, namespace="another bot") != [first]
    assert json.loads(str(first)).keys() == {"token", "fence", "ttlMs"}


@pytest.mark.parametrize("end", [ForceReleaseLock, EndHold])
def test_what_was_held_and_is_free_is_acquired_in_the_same_group(
    chat_database: ShardDatabase, end: type[ForceReleaseLock]
) -> None:
    first, second, third = (
        AcquireLock(thread_id="t", ttl_ms=60_000, request_id=name) for name in "abc"
    )
    (held,) = do(chat_database, first)
    members = {"fence": json.loads(str(held))["fence"]} if end is EndHold else {}

    refused, _, acquired = do(chat_database, second, end(thread_id="t", **members), third)

    assert refused == "null"
    assert acquired != "null"


@pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)
def test_of_two_processes_with_one_request_id_for_two_keys_one_is_refused(
    chat_database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(chat_database, Set(key="k", value=text("1")))  # so that the shard has its row
    faster = AppendToList(key="another", value=text("1"), request_id="r1")
    commit = postgresql._commit

    def commit_behind_another(*args: Any) -> None:
        monkeypatch.undo()
        with ThreadPoolExecutor(1) as another_process:
            assert another_process.submit(do, chat_database, faster).result() == ["null"]
            another_process.submit(connections.close_all).result()
        commit(*args)

    monkeypatch.setattr(postgresql, "_commit", commit_behind_another)
    refused, neighbour = do(chat_database, append(1, request_id="r1"), append(2, request_id="r2"))

    assert isinstance(refused, ConflictError)
    assert neighbour == "null"
    stored = do(chat_database, GetList(key="list"), GetList(key="another"))
    assert stored == [Piece(["2"], 1), Piece(["1"], 1)]


def test_kept_answers_make_room_for_new_ones(chat_database: ShardDatabase) -> None:
    answers = KeptAnswer.objects.using(chat_database.alias)

    def keep(prefix: str) -> None:
        do(chat_database, *(append(1, request_id=f"{prefix}{number}") for number in range(300)))

    keep("old")
    answers.update(expires_at_ms=1)
    keep("new")

    assert answers.filter(request_id__startswith="new").count() == 300
    assert not answers.filter(request_id__startswith="old").exists()


def test_an_answer_is_kept_for_its_time_and_not_for_ever(settings: Settings) -> None:
    kept_ms = 90_000
    settings.CHATSTATE = {"answers_kept_ms": kept_ms}

    for kept_at_ms in range(1_000_000, 1_000_000 + 2 * 60_000, 7_919):
        expires_at_ms = sqlite._live_spans(kept_at_ms)[-1]
        asked_until_ms = kept_at_ms + kept_ms

        assert asked_until_ms < expires_at_ms <= asked_until_ms + 60_000
        assert all(
            expires_at_ms in sqlite._live_spans(asked_at_ms)
            for asked_at_ms in range(kept_at_ms, asked_until_ms + 1, 5_003)
        )


def test_a_frozen_shard_takes_no_write_and_answers_reads(chat_database: ShardDatabase) -> None:
    do(chat_database, Set(key="k", value=text("1")))
    Shard.objects.using(chat_database.alias).filter(name="default").update(is_frozen=True)

    alone = do(chat_database, Get(key="k"))
    before, refused, behind = do(
        chat_database, Get(key="k"), Set(key="k", value=text("2")), Get(key="k")
    )

    assert isinstance(refused, FrozenError)
    assert [*alone, before, behind] == ["1", "1", "1"]


def test_fences_only_grow(chat_database: ShardDatabase) -> None:
    acquires = [AcquireLock(thread_id=f"t{number}", ttl_ms=0) for number in range(5)]

    results = [*do(chat_database, *acquires), *do(chat_database, *acquires)]

    fences = [json.loads(str(result))["fence"] for result in results]
    assert fences == sorted(set(fences))


def test_contenders_of_a_group_get_the_lock_as_one_after_the_other_would(
    chat_database: ShardDatabase,
) -> None:
    def acquire(thread_id: str = "t", ttl_ms: int = 60_000) -> AcquireLock:
        return AcquireLock(thread_id=thread_id, ttl_ms=ttl_ms)

    (held,) = do(chat_database, acquire())
    token = json.loads(str(held))["token"]
    results = do(
        chat_database,
        *(acquire(), acquire(), acquire("another")),
        *(ReleaseLock(thread_id="t", token="of nobody"), acquire()),
        *(ReleaseLock(thread_id="t", token=token), acquire(), acquire()),
        *(ForceReleaseLock(thread_id="t"), acquire(ttl_ms=0), acquire(), acquire()),
    )

    got = [result != "null" for result in results]
    assert got[:3] == [False, False, True]
    assert got[4] is False
    assert got[6:8] == [True, False]
    assert got[9:] == [True, True, False]


def test_the_token_itself_is_not_stored(chat_database: ShardDatabase) -> None:
    (result,) = do(chat_database, AcquireLock(thread_id="t", ttl_ms=60_000))

    (lock,) = HeldLock.objects.using(chat_database.alias).all()

    assert json.loads(str(result))["token"].encode() not in bytes(lock.token_digest)


def test_a_long_list_is_read_piece_by_piece(
    chat_database: ShardDatabase, settings: Settings
) -> None:
    settings.CHATSTATE = {"list_page_max_chars": 10}
    do(chat_database, *(append(1_000 + number) for number in range(5)))

    (first,) = do(chat_database, GetList(key="list"))
    do(chat_database, append(2_000))
    assert isinstance(first, Piece)
    assert first.end_number is not None
    more = GetMore(key="list", after=first.last_number, end=first.end_number)
    (second,) = do(chat_database, more)

    assert isinstance(second, Piece)
    assert [*first.items, *second.items][:4] == ["1000", "1001", "1002", "1003"]
    assert second.end_number == first.end_number


def test_answers_of_a_transaction_stay_bounded(chat_database: ShardDatabase) -> None:
    big = text('"' + "x" * 800_000 + '"')
    do(chat_database, Set(key="big", value=big))

    results = do(chat_database, *(Get(key="big") for _ in range(200)), Set(key="k", value=big))

    refused = [result for result in results if isinstance(result, BusyError)]
    assert 100 <= len(refused) <= 190
    assert results[-1] == "null"


def test_lists_of_a_transaction_stay_bounded(chat_database: ShardDatabase) -> None:
    value = text(f'"{"x" * 800_000}"')
    do(chat_database, *(AppendToList(key="list", value=value) for _ in range(4)))

    results = do(chat_database, *(GetList(key="list") for _ in range(40)))

    # of a round trip, which is all at once, those above the budget are given as well
    assert len([result for result in results if isinstance(result, Piece)]) <= 16
    assert {type(result) for result in results} == {Piece, BusyError}


def test_many_consumers_share_a_queue(chat_database: ShardDatabase) -> None:
    entries = [
        Enqueue(thread_id="t", message=text(str(number)), enqueued_at=0, expires_at=60_000)
        for number in range(200)
    ]
    do(chat_database, *entries)

    def consume(_: int) -> list[str]:
        taken = []
        try:
            while (result := do(chat_database, Dequeue(thread_id="t"))[0]) != "null":
                taken.append(json.loads(str(result))["message"])
        finally:
            connections.close_all()
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(consume, range(8)))

    assert sorted(_flat(taken)) == list(range(200))
    assert all(numbers == sorted(numbers) for numbers in taken)


def _flat(lists: Sequence[Sequence[str]]) -> list[int]:
    return [int(item) for items in lists for item in items]


@pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)
def test_no_namespace_meets_the_locks_of_shards(chat_database: ShardDatabase) -> None:
    job = Job("shard", "default", [Set(key="default", value=text("1"))])
    chat_database.commit([job])

    with closing(connections.create_connection(chat_database.alias)) as other:
        other.connect()
        postgresql._begin(other.connection, [Job("bot", "default", [Subscribe(thread_id="t")])])
        (done,) = chat_database.commit([job])

    assert done.results == ["null"]


def test_a_queue_that_a_group_fills_is_seen_by_what_follows(chat_database: ShardDatabase) -> None:
    release = ReleaseLock(thread_id="t", token="nobody's")
    entry = Enqueue(thread_id="t", message=text('"m"'), enqueued_at=0, expires_at=60_000)

    results = do(
        chat_database, release, Dequeue(thread_id="t"), entry, release, Dequeue(thread_id="t")
    )

    before, nothing, depth, after, taken = [json.loads(str(result)) for result in results]
    assert (before["stranded"], nothing, depth["depth"]) == (False, None, 1)
    assert (after["stranded"], taken["message"]) == (True, "m")
    assert do(chat_database, Dequeue(thread_id="t")) == ["null"]


def test_of_what_has_expired_in_a_queue_nothing_is_read(chat_database: ShardDatabase) -> None:
    def entry(ttl_ms: int) -> Enqueue:
        return Enqueue(thread_id="t", message=text('"m"'), enqueued_at=0, expires_at=ttl_ms)

    do(chat_database, entry(60_000), entry(60_000), entry(600_000))
    connection = connections[chat_database.alias]
    connection.ensure_connection()
    in_two_minutes = {**Context("bot", 0, iter(()), 0).at("t"), "now": _far_from_now(connection)}

    parameters = {"sqlite": queues.TAKE.in_order(in_two_minutes), "postgresql": in_two_minutes}
    taken = connection.connection.execute(
        getattr(queues.TAKE, connection.vendor), parameters[connection.vendor]
    ).fetchall()

    assert sorted((number, message) for number, message, *_ in taken) == [
        *((1, None), (2, None)),
        (3, '"m"'),
    ]


def test_of_a_huge_expired_list_an_append_removes_a_part(chat_database: ShardDatabase) -> None:
    at_once = lists.TRIMMED_AT_ONCE
    do(chat_database, *(append(number, ttl_ms=60_000) for number in range(2 * at_once)))
    ListHead.objects.using(chat_database.alias).update(expires_at_ms=1)
    items = ListItem.objects.using(chat_database.alias)

    left = []
    for number in range(3):
        do(chat_database, append(number))
        left.append(items.count())
        assert do(chat_database, GetList(key="list"))[0].items == list(map(str, range(number + 1)))

    assert left == [at_once + 1, 2, 3]


def test_of_a_huge_expired_queue_an_enqueue_removes_a_part_and_counts_none(
    chat_database: ShardDatabase,
) -> None:
    def enqueue(number: int) -> Enqueue:
        return Enqueue(
            thread_id="t", message=text(str(number)), enqueued_at=0, expires_at=60_000, max_size=2
        )

    at_once = queues.PURGED_AT_ONCE
    unbounded = [msgspec.structs.replace(enqueue(n), max_size=None) for n in range(2 * at_once + 9)]
    do(chat_database, *unbounded)
    entries = QueuedEntry.objects.using(chat_database.alias)
    entries.update(expires_at_ms=1)

    depths, left = [], []
    for number in range(4):
        (result,) = do(chat_database, enqueue(number))
        depths.append(json.loads(str(result))["depth"])
        left.append(entries.count())

    assert depths == [1, 2, 2, 2]
    assert left == [at_once + 10, 11, 2, 2]
    taken = do(
        chat_database, Dequeue(thread_id="t"), Dequeue(thread_id="t"), Dequeue(thread_id="t")
    )
    assert [json.loads(str(entry)) and json.loads(str(entry))["message"] for entry in taken] == [
        *(2, 3),
        None,
    ]


def _far_from_now(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(expires_at_ms) FROM chatstate_queuedentry")
        (expires_at_ms,) = cursor.fetchone()
    return int(expires_at_ms) + 60_000


def test_a_commit_in_doubt_doubles_nothing(
    chat_database: ShardDatabase, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_commits(monkeypatch, vendor, sqlite_errorname="SQLITE_IOERR_FSYNC")

    with pytest.raises(UnavailableError):
        do(chat_database, append(1))
    answered = do(chat_database, append(2, request_id="r1"), Set(key="k", value=text("1")))
    monkeypatch.undo()

    assert answered == ["null", "null"]
    assert do(chat_database, GetList(key="list"))[0].items == ["1", "2"]


def test_a_new_job_whose_commit_is_in_doubt_is_looked_up_as_well(
    chat_database: ShardDatabase, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_commits(monkeypatch, vendor, sqlite_errorname="SQLITE_IOERR_FSYNC")
    job = Job("bot", "default", [append(1, request_id="r1")], is_new=True)

    (done,) = chat_database.commit([job])
    monkeypatch.undo()

    assert done.results == ["null"]
    assert do(chat_database, GetList(key="list"))[0].items == ["1"]


def break_commits(monkeypatch: pytest.MonkeyPatch, vendor: str, *, sqlite_errorname: str) -> None:
    """Let the first two commits be stored and then seem to have failed."""
    module = {"sqlite": sqlite, "postgresql": postgresql}[vendor]
    run, runs = module.run, count()

    def run_and_break(*args: Any) -> Any:
        done = run(*args)
        if next(runs) < 2:
            raise CommitBrokenError(sqlite_errorname=sqlite_errorname)
        return done

    monkeypatch.setattr(module, "run", run_and_break)
