"""A D1 database's dump: read, and nothing in it executed."""

from pathlib import Path

import pytest

from livesync.moving import text
from livesync.moving.errors import FileRefusedError
from tests.factories import make_event, make_events
from tests.moving_files import (
    STORE,
    VECTORS,
    dump_of,
    events_in,
    opened,
    timed,
    write_durable_object,
)

EVENTS = make_events(3)
ODD = [
    make_event(1, args=None),
    make_event(2, args="""{"a":"it's; ''","b":"\\n--"}""", name="INSERT INTO x VALUES('');"),
    make_event(3, args='"ü😀"', client_id="", session_id='"'),
]
TABLE = f"eventlog_7_{STORE}"
ROW = "1,0,'n','{}','2026-01-31T12:00:00.000Z','c','s'"


def dump(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def insert(row: str) -> str:
    """A dump of the store with this in place of its rows."""
    return f'{create()}INSERT INTO "{TABLE}" VALUES({row});'


def create() -> str:
    return dump_of([]) + "\n"


@pytest.mark.parametrize("size", [1, 5, 64, 1 << 20])
def test_the_rows_of_the_store_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(text, "CHUNK_BYTES", size)
    others = dump_of(make_events(5), store_id="other").splitlines()
    path = dump(tmp_path / "file", "\n".join([*others, dump_of(ODD), *others]))

    assert events_in(path, STORE) == timed(ODD)


def test_what_miniflare_writes_is_read() -> None:
    with opened(VECTORS / "d1.sql", "notes-2026") as source:
        found = [event for event, _ in source.events()]

    assert [event.args for event in found[:3]] == ['{"id":"1","text":"it\'s milk"}', None, "null"]
    assert found[4].name == "odd 'name'\nwith\r\nlines"
    assert source.origin.kind == "D1 dump"
    assert "differ from notes-2026 in punctuation only" in source.origin.notes[0]


def test_what_the_database_itself_gives_is_the_same() -> None:
    from_database = events_in(VECTORS / "d1.sqlite", "notes-2026")

    assert events_in(VECTORS / "d1.sql", "notes-2026") == from_database


def test_names_of_columns_and_other_ways_to_write_are_understood(tmp_path: Path) -> None:
    names = '"parentSeqNum","seqNum","name","args","createdAt","clientId","sessionId"'
    reordered = ROW.replace("1,0", "0,1")
    path = dump(
        tmp_path / "file",
        f"/* by hand; it's */ BEGIN TRANSACTION;\n-- 'quote\n{create()}"
        f'INSERT INTO {TABLE} VALUES({ROW});\nINSERT INTO "{TABLE}" ({names}) VALUES(1,2,'
        f"{reordered.split(',', 2)[2]});\nCREATE INDEX x ON other (a);COMMIT;\n",
    )

    assert [event.seq_num for event, _ in events_in(path, STORE)] == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            dump_of(EVENTS, store_id="other"),
            "there is no table eventlog_7_notes; its eventlogs are",
        ),
        (dump_of(EVENTS).replace("_7_", "_6_"), "are of version 6; this reads version 7"),
        ("CREATE TABLE x (a);", "there is no eventlog in it"),
        (dump_of(EVENTS)[:-30], "line 5: the file ends in the middle of a statement"),
        (create() + f'INSERT INTO "{TABLE}" VALUES(\'', "line 3: the file ends in the middle"),
        (create() + "\0" * 50, "line 3: a NUL character"),
        (f'INSERT INTO "{TABLE}" VALUES({ROW});', "comes before the CREATE TABLE"),
        (create().replace('"args"', '"arguments"'), "has the columns seqNum, parentSeqNum"),
        (
            create() + f'UPDATE "{TABLE}" SET args = 1;',
            "a statement about eventlog_7_notes that no",
        ),
        (insert(f"{ROW},1"), "8 values for 7 columns"),
        (insert(f"{ROW},1,1"), "8 values or more for 7 columns"),
        (insert(f"{ROW}),({ROW}"), "line 3: expected a comma"),
        (create() + f'INSERT INTO "{TABLE}" SELECT * FROM x;', "an INSERT that no dump has"),
        (
            insert(ROW.replace("0", "x()", 1)),
            "a value that no",
        ),
        (
            insert(ROW.replace("0", "X'00'", 1)),
            "a value that",
        ),
        (
            insert(ROW.replace("'n'", "replace(" * 9)),
            "a value that no dump has",
        ),
        (
            insert(ROW.replace("'n'", "replace('n','',char(10))")),
            "replace of ''",
        ),
        (insert(ROW.replace("'n'", "5")), "another type"),
        (
            insert(ROW.replace("{}", "{")),
            "args that are not",
        ),
        (
            create() + f'INSERT INTO "{TABLE}" VALUES({ROW});\n' * 2,
            "line 4: event 1 is there twice",
        ),
        (dump_of(make_events(3, after=1)), "line 3: event 2 has parent 1, but follows none"),
    ],
)
def test_what_is_no_dump_of_the_store_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    path = dump(tmp_path / "file", content)

    with pytest.raises(FileRefusedError) as refused:
        events_in(path, STORE)

    assert message in str(refused.value)


def test_only_the_durable_object_can_tell_that_the_last_rows_are_missing(tmp_path: Path) -> None:
    rows = dump_of(make_events(3)).splitlines(keepends=True)
    path = dump(tmp_path / "file", "".join(rows[:-1]))
    context = write_durable_object(tmp_path / "context")

    with opened(path, STORE) as alone, opened(path, STORE, context=context) as together:
        assert len(list(alone.events())) == 2
        assert "a dump has no mark of its end" in alone.origin.notes[-1]
        assert (together.origin.head, together.origin.notes) == (3, ())


def test_a_statement_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = dump(tmp_path / "file", f'{create()}INSERT INTO "{TABLE}" VALUES(1,0,\'')
    with path.open("ab") as file:
        for _ in range(20):
            file.write(b"x" * (1 << 20))

    with pytest.raises(FileRefusedError, match=r"line 3: .* longer than 8,000,000 characters"):
        events_in(path, STORE)


def test_the_store_has_to_be_named() -> None:
    with pytest.raises(FileRefusedError, match="does not say which stores"):
        events_in(VECTORS / "d1.sql")
