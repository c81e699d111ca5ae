"""Reads on the thread of the loop: the same answers as the writer's, or none at all."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.db import connections
from msgspec import Raw
from pytest_django import Settings

from chatstate.models import CacheEntry
from chatstate.protocol.operations import (
    AppendToList,
    Delete,
    Get,
    GetList,
    IsSubscribed,
    Operation,
    Set,
    Subscribe,
)
from chatstate.storage import lists, quick_reads
from chatstate.storage.database import ShardDatabase
from chatstate.storage.jobs import Job, Result

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


def do(database: ShardDatabase, *operations: Operation) -> Sequence[Result]:
    (done,) = database.commit([Job("bot", "default", operations)])
    return done.results


def read(database: ShardDatabase, *operations: Operation) -> Sequence[Result] | None:
    return database.read_at_once("bot", operations)


def put(key: str, value: str = "1", *, ttl_ms: int | None = None) -> Set:
    return Set(key=key, value=Raw(value.encode()), ttl_ms=ttl_ms)


@pytest.fixture
def database(chat_database: ShardDatabase) -> ShardDatabase:
    do(chat_database, put("k", '{"a": "\\u0000"}'), Subscribe(thread_id="t"))
    return chat_database


@only_sqlite
@pytest.mark.parametrize(
    "places", [["k"], ["missing"], ["k", "k"], ["t", "k", "missing", "t", "K"]]
)
def test_what_is_read_at_once_is_what_the_writer_reads(
    database: ShardDatabase, places: list[str]
) -> None:
    for reads in ([Get(key=each) for each in places], [IsSubscribed(thread_id=e) for e in places]):
        assert read(database, *reads) == do(database, *reads)
        assert database.read_at_once("another bot", reads) == (
            database.commit([Job("another bot", "default", reads)])[0].results  # type: ignore[union-attr]
        )
    database.close()


@only_sqlite
@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_short_list_is_read_whole(database: ShardDatabase, length: int) -> None:
    items = [AppendToList(key="l", value=Raw(b"%d" % number)) for number in range(length)]
    do(database, AppendToList(key="another", value=Raw(b"0")), *items)

    assert read(database, GetList(key="l")) == do(database, GetList(key="l"))
    database.close()


@only_sqlite
def test_each_read_sees_the_last_commit_and_no_more(database: ShardDatabase) -> None:
    writer = connections[database.alias]
    assert read(database, Get(key="k")) == ['{"a": "\\u0000"}']

    do(database, put("k", "2"))
    with writer.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("DELETE FROM chatstate_cacheentry")
        meanwhile = read(database, Get(key="k"))
        cursor.execute("ROLLBACK")
    do(database, Delete(key="k"))

    assert meanwhile == ["2"]
    assert read(database, Get(key="k")) == ["null"]
    database.close()


@only_sqlite
def test_what_has_expired_is_not_there(database: ShardDatabase) -> None:
    do(database, put("k", "2", ttl_ms=60_000))
    assert read(database, Get(key="k")) == ["2"]

    CacheEntry.objects.using(database.alias).update(expires_at_ms=1)

    assert read(database, Get(key="k")) == ["null"]
    database.close()


@only_sqlite
def test_what_is_no_read_of_a_few_short_values_is_left_to_the_writer(
    database: ShardDatabase,
) -> None:
    long = Raw(f'"{"x" * quick_reads.MOST_CHARS}"'.encode())
    do(database, Set(key="long", value=long), AppendToList(key="long", value=long))
    get = Get(key="k")

    assert read(database) is None
    assert read(database, put("k")) is None
    assert read(database, get, IsSubscribed(thread_id="t")) is None
    assert read(database, *[get] * (quick_reads.MOST_KEYS + 1)) is None
    assert read(database, get, Get(key="long")) is None
    assert read(database, GetList(key="long")) is None
    assert read(database, *[GetList(key="short")] * 2) is None
    database.close()


@pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)
def test_on_postgresql_the_writer_reads(database: ShardDatabase) -> None:
    assert read(database, Get(key="k")) is None


@only_sqlite
def test_a_list_that_is_sent_piece_by_piece_is_left_to_the_writer(
    database: ShardDatabase, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(database, *(AppendToList(key="l", value=Raw(b"123")) for _ in range(3)))
    assert read(database, GetList(key="l")) is not None

    settings.CHATSTATE = {"list_page_max_chars": 8}
    assert read(database, GetList(key="l")) is None

    settings.CHATSTATE = {}
    monkeypatch.setattr(lists, "PAGE_MAX_ITEMS", 2)
    assert read(database, GetList(key="l")) is None
    database.close()


@only_sqlite
def test_a_list_of_many_tiny_entries_is_left_to_the_writer(
    database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(database, *(AppendToList(key="l", value=Raw(b"1")) for _ in range(3)))

    monkeypatch.setattr(quick_reads, "MOST_ROWS", 3)
    assert read(database, GetList(key="l")) == do(database, GetList(key="l"))

    monkeypatch.setattr(quick_reads, "MOST_ROWS", 2)
    assert read(database, GetList(key="l")) is None
    database.close()


@only_sqlite
def test_after_a_slow_read_the_writer_reads_for_a_while(
    database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_reads, "SLOW_S", -1.0)
    monkeypatch.setattr(quick_reads, "REST_S", 3_600.0)
    assert read(database, Get(key="missing")) == ["null"]

    monkeypatch.setattr(quick_reads, "SLOW_S", 3_600.0)

    assert read(database, Get(key="missing")) is None
    database.close()


@only_sqlite
def test_from_a_file_that_is_gone_nothing_is_read(
    database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_reads, "REST_S", -1.0)
    assert read(database, Get(key="missing")) == ["null"]
    path = Path(connections[database.alias].cursor().execute("PRAGMA database_list").fetchone()[2])

    path.rename(path.with_suffix(".away"))
    without_file = [read(database, Get(key="missing")) for _ in range(2)]
    path.with_suffix(".away").rename(path)

    assert without_file == [None, None]
    assert read(database, Get(key="missing")) == ["null"]
    database.close()


@only_sqlite
def test_after_a_fault_of_the_disk_the_writer_reads(
    database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: object) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(quick_reads.OpenedFile, "is_there", fail)
        assert read(database, Get(key="missing")) is None

    assert read(database, Get(key="missing")) is None  # for a while
    database.close()


@only_sqlite
def test_a_forked_process_uses_no_connection_of_its_parent(
    database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = os.getpid()
    assert read(database, Get(key="missing")) == ["null"]
    monkeypatch.setattr(quick_reads.os, "getpid", lambda: parent + 1)

    assert read(database, Get(key="missing")) == ["null"]
    (inherited,) = quick_reads._inherited

    assert inherited.driver.execute("SELECT 1").fetchone() == (1,)
    inherited.driver.close()
    quick_reads._inherited.clear()
    database.close()
