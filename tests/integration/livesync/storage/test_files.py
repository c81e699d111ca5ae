"""What holds for the files engine alone: what is in the files, and how many are open."""

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from livesync.models import Place
from livesync.protocol.errors import CommitUnknownError, ServerAheadError, StorageUnavailableError
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Append, Appended, StoreState
from livesync.storage.files.appending import append_rows
from livesync.storage.files.engine import FilesEngine
from livesync.storage.files.layout import eventlog_table
from livesync.storage.files.store_file import StoreFile
from livesync.storage.routed import RoutedEngine
from tests.conftest import Figure
from tests.factories import make_chain, make_events
from tests.storage import STORE, details, numbers, push, read, rows, run_in_threads

pytestmark = pytest.mark.parametrize("vendor", ["files"], indirect=True)

IDENTITY = "V1StGXR8_Z5jdHi6B-myT"
AT = "2024-01-02T03:04:05.678Z"


def file_of(engine: RoutedEngine, store_id: str = STORE) -> Path:
    return engine.files.layout.file(store_id)


def on_file(engine: RoutedEngine, statement: str, store_id: str = STORE) -> list[Any]:
    with closing(sqlite3.connect(file_of(engine, store_id))) as other:
        return other.execute(statement).fetchall()


def another(engine: RoutedEngine, *, max_open: int = 16) -> RoutedEngine:
    """The engine of another process on the same machine."""
    files = FilesEngine(engine.files.layout.directory, max_open=max_open)
    return RoutedEngine(DatabaseEngine(), files, lambda _: Place.FILES)


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


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        os.unlink(f"{path}{suffix}")


def remove_log(path: Path) -> None:
    os.unlink(f"{path}-wal")


CALLS: dict[str, Callable[[RoutedEngine], Any]] = {
    "commit": lambda engine: push(engine, make_events(1, after=1)),
    "read": numbers,
    "inspect": lambda engine: engine.inspect(STORE),
    "reset": lambda engine: engine.reset(STORE),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_file_that_is_gone_is_missed_and_not_made_anew(
    engine: RoutedEngine, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    push(engine, make_events(1))
    push(engine, make_events(1), to="neighbour")
    remove(file_of(engine))

    for _ in range(2):
        with pytest.raises(StorageUnavailableError):
            call(engine)

    assert not file_of(engine).exists()
    assert numbers(engine, "neighbour") == [1]
    critical = [r.getMessage() for r in caplog.records if r.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert str(file_of(engine)) in critical[0]


def test_a_log_that_is_gone_is_not_written_to(engine: RoutedEngine) -> None:
    push(engine, make_events(1))

    def append_and_lose(file: StoreFile, *args: Any) -> None:
        append_rows(file, *args)
        remove_log(file.path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("livesync.storage.files.appending.append_rows", append_and_lose)
        with pytest.raises(StorageUnavailableError):
            push(engine, make_events(1, after=1))

    assert push(engine, make_events(1, after=1)).head == 2


def test_a_log_that_went_while_nobody_looked_is_missed(
    engine: RoutedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    push(engine, make_events(1))
    remove_log(file_of(engine))

    with pytest.raises(StorageUnavailableError):
        push(engine, make_events(1, after=1))

    critical = [r.getMessage() for r in caplog.records if r.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert "or its log was removed" in critical[0]


def test_states_of_other_stores_are_told_beside_a_broken_file(engine: RoutedEngine) -> None:
    push(engine, make_events(1))
    push(engine, make_events(1), to="neighbour")
    remove(file_of(engine))

    assert list(engine.states([STORE, "neighbour", "missing"])) == ["neighbour"]


class FailingDriver:
    """A driver whose next COMMIT fails, before it took effect or after."""

    def __init__(self, driver: sqlite3.Connection, errorname: str, *, is_stored: bool) -> None:
        self._driver = driver
        self._errorname = errorname
        self._is_stored = is_stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def execute(self, statement: str, *parameters: Any) -> Any:
        if statement != "COMMIT" or not self._driver.total_changes:
            return self._driver.execute(statement, *parameters)
        if self._is_stored:
            self._driver.execute("COMMIT")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = self._errorname
        raise error


@pytest.fixture
def fail_once(engine: RoutedEngine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def fail_once(errorname: str, *, is_stored: bool) -> None:
        pending = [1]

        class Failing(StoreFile):
            def __init__(self, path: Path, store_id: str) -> None:
                super().__init__(path, store_id)
                if pending and store_id == STORE:
                    pending.pop()
                    self.driver: Any = FailingDriver(self.driver, errorname, is_stored=is_stored)

        engine.files.open_files.close_all()
        monkeypatch.setattr("livesync.storage.files.open_files.StoreFile", Failing)

    return fail_once


@pytest.mark.parametrize("errorname", ["SQLITE_FULL", "SQLITE_IOERR_FSYNC"])
def test_a_commit_that_failed_and_stored_nothing_is_done_again(
    engine: RoutedEngine, fail_once: Callable[..., None], errorname: str
) -> None:
    push(engine, make_events(1))
    fail_once(errorname, is_stored=False)

    assert push(engine, make_events(2, after=1)).head == 3
    assert numbers(engine) == [1, 2, 3]


def test_a_commit_that_failed_and_was_found_is_not_done_again(
    engine: RoutedEngine, fail_once: Callable[..., None]
) -> None:
    push(engine, make_events(1))
    fail_once("SQLITE_FULL", is_stored=True)

    assert push(engine, make_events(2, after=1)).head == 3
    assert numbers(engine) == [1, 2, 3]


def test_a_commit_that_may_come_up_later_is_told_as_unknown(
    engine: RoutedEngine, fail_once: Callable[..., None]
) -> None:
    push(engine, make_events(1))
    push(engine, make_events(1), to="neighbour")
    fail_once("SQLITE_IOERR_FSYNC", is_stored=True)

    outcome, neighbour = engine.commit(
        [
            Append(STORE, None, make_events(2, after=1)),
            Append("neighbour", None, make_events(1, after=5)),
        ]
    )

    assert isinstance(outcome, CommitUnknownError)
    assert isinstance(neighbour, ServerAheadError)


def test_a_full_disk_refuses_pushes_and_lets_reads_go_on_until_there_is_room(
    engine: RoutedEngine,
) -> None:
    push(engine, make_events(1))
    large = make_events(50, after=1, args='"' + "x" * 10_000 + '"')

    class Full(StoreFile):
        def __init__(self, path: Path, store_id: str) -> None:
            super().__init__(path, store_id)
            self.driver.execute("PRAGMA max_page_count = 1")  # which means: as large as it is

    engine.files.open_files.close_all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("livesync.storage.files.open_files.StoreFile", Full)
        with pytest.raises(StorageUnavailableError):
            push(engine, large)
        assert numbers(engine) == [1]
    engine.files.open_files.close_all()

    assert push(engine, large).head == 51


def test_two_processes_that_meet_a_new_store_agree_on_its_history(engine: RoutedEngine) -> None:
    engines = [another(engine) for _ in range(4)]
    names = [f"store {number}" for number in range(20)]
    told: dict[str, set[str]] = {name: set() for name in names}

    def meet(number: int) -> None:
        mine = names if number % 2 else names[::-1]
        for outcome in engines[number].commit([Append(name, None, ()) for name in mine]):
            assert isinstance(outcome, Appended)
            told[outcome.store_id].add(outcome.backend_id)

    run_in_threads(len(engines), meet)
    for other in engines:
        other.stop()

    assert [len(ids) for ids in told.values()] == [1] * len(names)
    assert list(engine.store_ids(after="", max_stores=100)) == sorted(names)


def test_processes_that_push_to_one_store_take_turns(engine: RoutedEngine) -> None:
    engines = [another(engine) for _ in range(3)]
    accepted: list[int] = []

    def append(number: int) -> None:
        head = 0
        while len(accepted) < 60:
            (outcome,) = engines[number].commit([Append(STORE, None, make_events(1, after=head))])
            if isinstance(outcome, Appended):
                accepted.append(outcome.parent)
                head = outcome.head
            elif isinstance(outcome, ServerAheadError):
                head = outcome.expected

    run_in_threads(len(engines), append)
    for other in engines:
        other.stop()

    assert sorted(accepted) == list(range(len(accepted)))
    assert numbers(engine) == list(range(1, len(accepted) + 1))


def handles() -> int:
    """How many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_many_stores_need_few_open_files(engine: RoutedEngine, figure: Figure) -> None:
    count, busy = figure(usually=200, drill=10_000), figure(usually=10, drill=100)
    tight = another(engine, max_open=12)
    push(tight, [], to="first")
    before = handles()
    names = [f"store {number}" for number in range(count)]

    for start in range(0, count, 500):
        some = names[start : start + 500]
        tight.commit([Append(name, None, make_events(1)) for name in some])
        assert tight.files.open_files.count <= 12
        assert handles() <= before + 3 * 12
    for after in range(1, 4):
        for name in names[:busy]:
            push(tight, make_events(1, after=after), to=name)
            assert read(tight, store_id=name).state.head == after + 1

    assert handles() <= before + 3 * 12
    assert [numbers(tight, name) for name in (names[0], names[-1])] == [[1, 2, 3, 4], [1]]
    tight.stop()
    assert handles() <= before


def test_what_a_reset_leaves_is_found_by_another_process(engine: RoutedEngine) -> None:
    push(engine, make_events(5))
    engine.reset(STORE)
    push(engine, make_events(2))
    other = another(engine)
    assert other.has_ended_events()

    deleted = [other.purge(max_events=3) for _ in range(3)]

    assert deleted == [3, 2, 0]
    assert not engine.has_ended_events()
    assert details(engine).oldest_generation == 2
    tables = on_file(engine, "SELECT name FROM sqlite_schema WHERE name GLOB 'livesync_ended*'")
    assert tables == []
    assert numbers(engine) == [1, 2]
    other.stop()


def test_events_of_no_history_are_counted(engine: RoutedEngine) -> None:
    push(engine, make_events(3))
    on_file(engine, "CREATE TABLE livesync_ended_7 AS SELECT * FROM eventlog_7_store")

    assert engine.lost_events(details(engine)) == 3
