"""What is in a file, and files that were made or written to elsewhere."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from livesync.protocol.errors import StorageUnavailableError
from livesync.storage.engine import StoreState
from livesync.storage.files.layout import eventlog_table
from livesync.storage.routed import RoutedEngine
from tests.factories import make_chain, make_events
from tests.storage import STORE, details, push, read, rows
from tests.store_files import file_of, on_file

IDENTITY = "V1StGXR8_Z5jdHi6B-myT"
AT = "2024-01-02T03:04:05.678Z"


def write_foreign(path: Path, store_id: str, numbers: list[int], *, head: int) -> None:
    """A file as a Durable Object leaves it, with a table of Cloudflare's own besides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = eventlog_table(store_id)
    with closing(sqlite3.connect(path)) as made:
        made.executescript(
            "CREATE TABLE _cf_KV (key text PRIMARY KEY, value blob) WITHOUT ROWID;"
            f'CREATE TABLE "{table}" (seqNum integer primary key, parentSeqNum integer not null,'
            " name text not null, args text, createdAt text not null, clientId text not null,"
            " sessionId text not null) strict;"
            "CREATE TABLE context_7 (storeId text primary key, currentHead integer, backendId text)"
            " strict"
        )
        made.execute("INSERT INTO context_7 VALUES (?, ?, ?)", (store_id, head, IDENTITY))
        for number, parent in zip(numbers, [0, *numbers], strict=False):
            row = (number, parent, "né", '"é"', AT, "c", "s")
            made.execute(f'INSERT INTO "{table}" VALUES (?, ?, ?, ?, ?, ?, ?)', row)
        made.commit()


def test_a_file_holds_the_tables_of_the_reference(engine: RoutedEngine) -> None:
    done = push(engine, make_chain(1, 20_000, args="null"), to="Notes é😀/1")
    table = eventlog_table("Notes é😀/1")

    assert table == "eventlog_7_Notes_____1"
    columns = [row[1] for row in on_file(engine, f"PRAGMA table_info({table})", "Notes é😀/1")]
    reference = ["seqNum", "parentSeqNum", "name", "args", "createdAt", "clientId", "sessionId"]
    assert columns == reference
    assert on_file(
        engine, f"SELECT seqNum, parentSeqNum, args, createdAt FROM {table}", "Notes é😀/1"
    ) == [(1, 0, "null", done.created_at), (20_000, 1, "null", done.created_at)]
    assert on_file(engine, "SELECT * FROM context_7", "Notes é😀/1") == [
        ("Notes é😀/1", 20_000, done.backend_id)
    ]


def test_a_file_from_a_durable_object_goes_on_here(engine: RoutedEngine) -> None:
    # the head was not written any more when the object was stopped
    write_foreign(file_of(engine), STORE, [1, 2, 7, 8, 30], head=8)

    assert push(engine, [], backend_id=IDENTITY).backend_id == IDENTITY
    assert read(engine).state == StoreState(IDENTITY, 30, 5)
    assert [read(engine, after, max_events=1).remaining for after in (0, 1, 2, 7, 8)] == [
        4,
        3,
        2,
        1,
        0,
    ]
    assert [row.ordinal for row in rows(engine)] == [1, 2, 3, 4, 5]
    assert details(engine).byte_count == 5 * (3 + 4)
    assert push(engine, make_events(1, after=30), backend_id=IDENTITY).head == 31
    assert on_file(engine, "SELECT count(*) FROM _cf_KV") == [(0,)]


def test_a_file_that_was_elsewhere_meanwhile_is_counted_anew(engine: RoutedEngine) -> None:
    push(engine, make_events(3))
    engine.files.open_files.close_all()
    on_file(engine, "PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(sqlite3.connect(file_of(engine))) as elsewhere, elsewhere:
        elsewhere.execute(
            "INSERT INTO eventlog_7_store VALUES (9, 3, 'n', NULL, ?, 'c', 's')", (AT,)
        )
        elsewhere.execute("UPDATE context_7 SET currentHead = 9")

    assert read(engine).state[1:] == (9, 4)
    assert read(engine, 2, max_events=1).remaining == 1
    assert push(engine, make_events(1, after=9)).head == 10


@pytest.mark.parametrize("what", ["another store", "no database", "a head without its event"])
def test_a_file_that_is_not_the_stores_is_neither_served_nor_replaced(
    engine: RoutedEngine, what: str
) -> None:
    path = file_of(engine)
    if what == "no database":
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no database at all" * 100)
    else:
        store_id = "another" if what == "another store" else STORE
        write_foreign(path, store_id, [1, 2], head=3)
    before = path.read_bytes()

    for _ in range(2):
        with pytest.raises(StorageUnavailableError):
            push(engine, make_events(1))

    assert engine.read(STORE, 0, max_events=1, max_bytes=1) is None
    assert path.read_bytes() == before
    assert push(engine, make_events(1), to="neighbour").head == 1


def test_events_of_no_history_are_counted(engine: RoutedEngine) -> None:
    push(engine, make_events(3))
    on_file(engine, "CREATE TABLE livesync_ended_7 AS SELECT * FROM eventlog_7_store")

    assert engine.lost_events(details(engine)) == 3
