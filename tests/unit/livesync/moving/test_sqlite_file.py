"""The files that Durable Objects and D1 databases leave on disk."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from livesync.moving.errors import FileRefusedError
from livesync.moving.reference import eventlog_table
from tests.factories import make_chain, make_event, make_events
from tests.moving_files import (
    BACKEND_ID,
    STORE,
    TIME,
    VECTORS,
    change,
    events_in,
    opened,
    timed,
    write_durable_object,
)

TABLE = f"eventlog_7_{STORE}"
ODD = [
    make_event(1, args=None),
    make_event(20_000, parent=1, args='{"a":"it\'s \\ud83d ü😀"}', name="'"),
]


def contents(path: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in path.parent.glob(f"{path.name}*")}


def test_a_durable_objects_file_says_everything(tmp_path: Path) -> None:
    path = write_durable_object(tmp_path / "file", ODD)
    before = contents(path)

    with opened(path) as source:
        found = list(source.events())

    assert found == timed(ODD)
    origin = source.origin
    assert (origin.kind, origin.store_id, origin.notes) == ("Durable Object", STORE, ())
    assert (origin.backend_id, origin.head) == (BACKEND_ID, 20_000)
    assert source.share_read() == 1.0
    assert contents(path) == before


def test_a_long_history_is_read_in_pieces(tmp_path: Path) -> None:
    events = make_chain(*range(1, 4_000, 3))

    assert events_in(write_durable_object(tmp_path / "file", events)) == timed(events)


def test_what_is_still_in_the_log_is_read_and_nothing_changed(tmp_path: Path) -> None:
    for path in VECTORS.glob("d1.sqlite*"):
        shutil.copy(path, tmp_path)
    path = tmp_path / "d1.sqlite"
    before = contents(path)

    found = events_in(path, "notes-2026")

    assert [event.seq_num for event, _ in found] == [1, 2, 3, 4, 5]
    assert contents(path) == before


def test_the_log_that_was_left_behind_is_asked_for(tmp_path: Path) -> None:
    path = Path(shutil.copy(VECTORS / "d1.sqlite", tmp_path))

    with pytest.raises(FileRefusedError, match="Is the file whose name ends in -wal beside it"):
        events_in(path, "notes-2026")


def test_the_durable_object_says_who_a_store_in_d1_is() -> None:
    context = VECTORS / "notes-2026.sqlite"

    with opened(VECTORS / "d1.sqlite", "notes-2026", context=context) as source:
        origin = source.origin

    assert (origin.kind, origin.head) == ("D1 database", 5)
    assert origin.backend_id == "BFJSlaEE7SH3Y-o1WcgTC"
    assert "shared by all stores whose ids differ from notes-2026" in origin.notes[0]


@pytest.mark.parametrize(
    ("path", "store_id", "context", "message"),
    [
        ("d1.sqlite", None, None, "does not say which store it holds"),
        ("d1.sqlite", "nobody", None, "there is no table eventlog_7_nobody; its eventlogs are"),
        ("notes-2026.sqlite", None, None, "are in a D1 database"),
        ("notes-2026.sqlite", "x", None, "it is of store notes-2026, not of x"),
        (
            "d1.sqlite",
            "notes-2026",
            "notes_2026.sqlite",
            "it is of store notes_2026, not of notes-2",
        ),
        ("d1.sqlite", "notes-2026", "d1.sqlite", "no table context_7"),
        ("d1.sqlite", "notes-2026", "d1.sql", "d1.sql is no SQLite file"),
    ],
)
def test_another_store_is_refused(
    path: str, store_id: str | None, context: str | None, message: str
) -> None:
    options = {} if context is None else {"context": VECTORS / context}

    with pytest.raises(FileRefusedError, match=message):
        events_in(VECTORS / path, store_id, **options)


def cut(size: int) -> Callable[[Path], object]:
    def apply(path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(size)

    return apply


def overwrite(place: int, data: bytes) -> Callable[[Path], object]:
    def apply(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(place)
            file.write(data)

    return apply


def replaced(old: bytes, new: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes().replace(old, new))


def statements(*texts: str) -> Callable[[Path], object]:
    return lambda path: change(path, *texts)


def journal(path: Path) -> None:
    path.with_name(f"{path.name}-journal").write_bytes(b"x")


def link_to_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").symlink_to(VECTORS / "d1.sqlite-wal")


VIEW = (f"ALTER TABLE {TABLE} RENAME TO x", f"CREATE VIEW {TABLE} AS SELECT * FROM x")
FAULTS = {
    "cut off": (cut(50_000), "cut off: it has 50,000 bytes"),
    "cut to its header": (cut(100), "cut off: it has 100 bytes"),
    "a page of garbage": (overwrite(24_576, b"\xff" * 20_480), "row 1 of eventlog_7_notes: dam"),
    "garbage behind the header": (overwrite(100, b"\xff" * 3_000), "damaged, or no database"),
    "wrong version": (
        statements(f"ALTER TABLE {TABLE} RENAME TO eventlog_6_{STORE}"),
        "are of version 6; this reads version 7",
    ),
    "another store's table": (
        statements(f"ALTER TABLE {TABLE} RENAME TO eventlog_7_other"),
        "no table eventlog_7_notes; its eventlogs are eventlog_7_other",
    ),
    "a view": (statements(*VIEW), "there is no eventlog in it"),
    "no such column": (statements(f"ALTER TABLE {TABLE} RENAME args TO x"), "has no column args"),
    "no primary key": (
        statements(
            f"ALTER TABLE {TABLE} RENAME TO old", f"CREATE TABLE {TABLE} AS SELECT * FROM old"
        ),
        "seqNum is not the primary key",
    ),
    "two stores in one table": (
        statements("UPDATE context_7 SET storeId = 'no-tes'",
                   f"ALTER TABLE {TABLE} RENAME TO eventlog_7_no_tes",
                   "INSERT INTO context_7 VALUES ('no_tes', 1, 'x')"),
        "nobody can tell which are whose",
    ),
    "a broken chain": (
        statements(f"UPDATE {TABLE} SET parentSeqNum = 1 WHERE seqNum = 3"),
        "row 3 of eventlog_7_notes: event 3 has parent 1, but follows event 2",
    ),
    "a missing event": (
        statements(f"DELETE FROM {TABLE} WHERE seqNum = 2"),
        "row 2 of eventlog_7_notes: event 3 has parent 2, but follows event 1",
    ),
    "args that are no JSON": (
        statements(f"UPDATE {TABLE} SET args = '{{' WHERE seqNum = 2"),
        "row 2 of eventlog_7_notes: event 2 has args that are not JSON",
    ),
    "no UTF-8": (
        statements(f"UPDATE {TABLE} SET args = CAST(x'ff22' AS TEXT) WHERE seqNum = 2"),
        "row 2 of eventlog_7_notes: damaged",
    ),
    "a schema that is no UTF-8": (
        replaced(b"text   not", b"te\xd1t   not"),
        "damaged, or no database: malformed database schema",
    ),
    "a schema that speaks to a terminal": (
        replaced(b'"args" text    ', b'"args" "\x1b[7m"  '),
        r"\u{1b}[7m",
    ),
    "a virtual table": (
        statements(f"ALTER TABLE {TABLE} RENAME TO x",
                   f"CREATE VIRTUAL TABLE {TABLE} USING fts5(a)",
                   "PRAGMA writable_schema = ON",
                   f"UPDATE sqlite_master SET rootpage = 2 WHERE name = '{TABLE}'"),
        "there is no table eventlog_7_notes",
    ),
    "an event before the first": (
        statements(f"UPDATE {TABLE} SET seqNum = 0, parentSeqNum = -1 WHERE seqNum = 1"),
        "row 1 of eventlog_7_notes: event 0 with parent -1: numbers start at 1",
    ),
    "no time": (
        statements(f"UPDATE {TABLE} SET createdAt = 'today' WHERE seqNum = 2"),
        "row 2 of eventlog_7_notes: event 2 was created at 'today'",
    ),
    "a huge value": (
        statements(f"UPDATE {TABLE} SET args = zeroblob(9000000) || 'x' WHERE seqNum = 2"),
        "string or blob too big",
    ),
    "a journal": (journal, "was cut off while it wrote"),
    "a log that is a link": (link_to_log, "file-wal is a symbolic link"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_is_not_sound_is_refused_with_its_row(tmp_path: Path, name: str) -> None:
    damage, message = FAULTS[name]
    filling = [make_event(1, args=f'"{"x" * 60_000}"'), *make_events(2, after=1)]
    path = write_durable_object(tmp_path / "file", filling)
    damage(path)

    with pytest.raises(FileRefusedError) as refused:
        events_in(path, None if name != "two stores in one table" else "no-tes")

    assert message in str(refused.value)


def test_values_of_other_types_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    columns = "seqNum INTEGER PRIMARY KEY, parentSeqNum, name, args, createdAt, clientId, sessionId"
    change(
        path,
        f"CREATE TABLE {TABLE} ({columns})",
        f"INSERT INTO {TABLE} VALUES (1, 0, 'n', x'00', '{TIME}', 'c', 's')",
    )

    with pytest.raises(FileRefusedError, match=f"row 1 of {TABLE}: a value is of another type"):
        events_in(path, STORE)


def test_nothing_in_the_file_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    columns = "parentSeqNum, name, args, createdAt, clientId, sessionId"
    change(
        path,
        f"CREATE TABLE {TABLE} (seqNum INTEGER PRIMARY KEY, {columns.replace('args, ', '')}, "
        "args TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000))) VIRTUAL)",
        f"INSERT INTO {TABLE} VALUES (1, 0, 'n', '{TIME}', 'c', 's')",
    )

    with pytest.raises(FileRefusedError, match="has no column args"):
        events_in(path, STORE)


def test_two_gigabytes_of_which_nearly_nothing_is_there_are_read(tmp_path: Path) -> None:
    path = write_durable_object(tmp_path / "file")
    with path.open("r+b") as file:
        file.truncate(2 << 30)

    assert events_in(path) == timed(make_events(3))


def test_a_file_that_is_written_to_meanwhile_is_refused(tmp_path: Path) -> None:
    path = write_durable_object(tmp_path / "file")

    def read_and_write() -> None:
        with opened(path) as source:
            list(source.events())
            change(path, f"DELETE FROM {TABLE} WHERE seqNum = 3")

    with pytest.raises(FileRefusedError, match="somebody wrote to the file while it was read"):
        read_and_write()


@pytest.mark.parametrize(
    ("store_id", "table"),
    [
        ("a-b", "eventlog_7_a_b"),
        ("a_b", "eventlog_7_a_b"),
        ("Ünï", "eventlog_7__n_"),
        ("😀", "eventlog_7___"),
        ("", "eventlog_7_"),
    ],
)
def test_tables_are_named_as_the_worker_names_them(store_id: str, table: str) -> None:
    assert eventlog_table(store_id) == table
