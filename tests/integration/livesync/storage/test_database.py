"""What the database engine says when nobody has told it whether a COMMIT took effect."""

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connections
from django.db.backends.signals import connection_created

from livesync.protocol.errors import CommitUnknownError, ServerAheadError, StorageUnavailableError
from livesync.storage import database
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Append, Appended
from livesync.storage.errors import CommitBrokenError
from tests.cut_link import Cut, CutLink
from tests.factories import make_event, make_events
from tests.integration.conftest import Databases, alias_on
from tests.processes import free_port
from tests.storage import (
    ALIAS,
    STATEMENTS,
    STORE,
    execute,
    find,
    numbers,
    own_connection,
    push,
    run_in_threads,
    terminate,
)

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)


class Commits:
    """Lets the next commits break, before they took effect or after."""

    def __init__(self, vendor: str) -> None:
        self._commit = STATEMENTS[vendor].write_and_commit
        self.plan: list[str] = []
        self.tried = 0

    def __call__(self, connection: Any, plan: Any, now: Any) -> None:
        self.tried += 1
        what = self.plan.pop(0) if self.plan else ""
        if what != "before":
            self._commit(connection, plan, now)
        if what:
            raise CommitBrokenError(plan)


@pytest.fixture
def commits(engine: DatabaseEngine, vendor: str, monkeypatch: pytest.MonkeyPatch) -> Commits:
    commits = Commits(vendor)
    monkeypatch.setattr(STATEMENTS[vendor], "write_and_commit", commits)
    monkeypatch.setattr(database, "_SETTLE_EVERY_S", 0.001)
    return commits


def test_a_commit_that_took_effect_is_not_done_again(
    engine: DatabaseEngine, commits: Commits
) -> None:
    commits.plan = ["after"]

    done = push(engine, make_events(3))

    assert (done.head, commits.tried) == (3, 1)
    assert numbers(engine) == [1, 2, 3]


def test_a_commit_that_took_no_effect_is_done_again(
    engine: DatabaseEngine, commits: Commits
) -> None:
    commits.plan = ["before"]

    done = push(engine, make_events(3))

    assert (done.head, commits.tried) == (3, 2)
    assert numbers(engine) == [1, 2, 3]


def test_each_append_of_a_broken_group_keeps_its_outcome(
    engine: DatabaseEngine, commits: Commits
) -> None:
    commits.plan = ["after"]

    a, ahead, b = engine.commit(
        [
            Append("a", None, make_events(2)),
            Append("a", None, make_events(2)),
            Append("b", None, [make_event(1, args=None), make_event(2, args="null", name="")]),
        ]
    )

    assert isinstance(a, Appended)
    assert isinstance(ahead, ServerAheadError)
    assert isinstance(b, Appended)
    assert (numbers(engine, "a"), numbers(engine, "b")) == ([1, 2], [1, 2])


def test_a_store_that_was_only_made_is_simply_made_again(
    engine: DatabaseEngine, commits: Commits
) -> None:
    commits.plan = ["after", "before"]

    made = push(engine, [])

    assert engine.states([STORE])[STORE].backend_id == made.backend_id


def test_events_of_somebody_else_under_the_same_numbers_are_not_ours(
    engine: DatabaseEngine, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = database._holds

    def another_was_faster(connection: Any, plan: Any) -> bool:
        run_in_threads(1, lambda _: push(engine, make_events(2, name="another")))
        return holds(connection, plan)

    commits.plan = ["before"]
    monkeypatch.setattr(database, "_holds", another_was_faster)

    with pytest.raises(ServerAheadError):
        push(engine, make_events(2))

    assert find("SELECT name FROM livesync_storedevent") == [("another",)] * 2


def test_a_commit_that_never_takes_effect_is_given_up(
    engine: DatabaseEngine, commits: Commits
) -> None:
    commits.plan = ["before"] * 1_000

    with pytest.raises(StorageUnavailableError):
        engine.commit([Append(STORE, None, make_events(1))])

    assert commits.tried < 10
    commits.plan = []
    assert push(engine, make_events(1)).head == 1


@pytest.mark.parametrize("what", ["before", "after"])
def test_when_the_database_cannot_be_asked_nobody_is_told_either_way(
    engine: DatabaseEngine, commits: Commits, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def out_of_reach(*_: Any) -> Any:
        raise OperationalError("out of reach")

    push(engine, make_events(1))
    commits.plan = [what]
    monkeypatch.setattr(database, "_SETTLE_FOR_S", 0.01)
    monkeypatch.setattr(database, "_holds", out_of_reach)

    with pytest.raises(CommitUnknownError):
        engine.commit([Append(STORE, None, make_events(1, after=1))])

    assert numbers(engine) == ([1, 2] if what == "after" else [1])


class BrokenDriver:
    """SQLite's connection, but a COMMIT ends in an error, once it is done or undone."""

    def __init__(self, driver: sqlite3.Connection, errorname: str, *, takes_effect: bool) -> None:
        self._driver = driver
        self._errorname = errorname
        self._takes_effect = takes_effect

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def execute(self, statement: str, *parameters: Any) -> Any:
        if statement != "COMMIT":
            return self._driver.execute(statement, *parameters)
        self._driver.execute("COMMIT" if self._takes_effect else "ROLLBACK")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = self._errorname
        raise error


class BrokenCommits:
    """Lets the COMMIT of the connections that are opened from now on fail as planned."""

    def __init__(self) -> None:
        self.plan: list[tuple[str, bool]] = []

    def __call__(self, connection: Any, **_: Any) -> None:
        # every other connection is opened to ask for the outcome; it commits nothing
        if self.plan:
            errorname, takes_effect = self.plan.pop(0)
            connection.connection = BrokenDriver(
                connection.connection, errorname, takes_effect=takes_effect
            )


@pytest.fixture
def broken_commits(engine: DatabaseEngine) -> Iterator[BrokenCommits]:
    broken_commits = BrokenCommits()
    push(engine, make_events(1))
    connections[ALIAS].close()
    connection_created.connect(broken_commits)
    yield broken_commits
    connection_created.disconnect(broken_commits)


_ASKING = ("SQLITE_IOERR_FSYNC", False)


@only_sqlite
@pytest.mark.parametrize("errorname", ["SQLITE_IOERR_FSYNC", "SQLITE_FULL"])
def test_what_sqlite_did_not_store_is_done_again(
    engine: DatabaseEngine, broken_commits: BrokenCommits, errorname: str
) -> None:
    broken_commits.plan = [(errorname, False)]

    assert push(engine, make_events(1, after=1)).head == 2

    assert numbers(engine) == [1, 2]


@only_sqlite
def test_what_is_found_after_an_error_of_the_disk_may_not_last(
    engine: DatabaseEngine, broken_commits: BrokenCommits
) -> None:
    broken_commits.plan = [("SQLITE_IOERR_FSYNC", True)]

    with pytest.raises(CommitUnknownError):
        push(engine, make_events(1, after=1))


@only_sqlite
@pytest.mark.parametrize(
    ("errornames", "error"),
    [
        (["SQLITE_FULL"] * 3, StorageUnavailableError),
        (["SQLITE_IOERR_FSYNC"] * 3, CommitUnknownError),
        (["SQLITE_IOERR_WRITE", "SQLITE_FULL", "SQLITE_FULL"], CommitUnknownError),
    ],
)
def test_what_the_log_may_hold_is_not_called_not_stored(
    engine: DatabaseEngine,
    broken_commits: BrokenCommits,
    errornames: list[str],
    error: type[Exception],
) -> None:
    for errorname in errornames:
        broken_commits.plan += [(errorname, False), _ASKING]

    with pytest.raises(error):
        push(engine, make_events(1, after=1))

    broken_commits.plan = []
    assert push(engine, make_events(1, after=1)).head == 2


@only_sqlite
def test_a_disk_that_is_gone_after_an_error_leaves_the_outcome_unknown(
    engine: DatabaseEngine, broken_commits: BrokenCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_stores = STATEMENTS["sqlite"].lock_stores
    calls: list[int] = []

    def fail_at_the_third(*args: Any) -> Any:
        calls.append(1)
        if len(calls) > 2:  # the commit, the question, the commit again
            raise OperationalError("disk I/O error")
        return lock_stores(*args)

    broken_commits.plan = [("SQLITE_IOERR_FSYNC", False)]
    monkeypatch.setattr(STATEMENTS["sqlite"], "lock_stores", fail_at_the_third)

    with pytest.raises(CommitUnknownError):
        push(engine, make_events(1, after=1))


@only_sqlite
def test_events_that_come_up_from_the_log_later_do_not_refuse_themselves(
    engine: DatabaseEngine, broken_commits: BrokenCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = database._holds

    def come_up_late(connection: Any, plan: Any) -> bool:
        held = holds(connection, plan)
        run_in_threads(1, lambda _: push(engine, make_events(1, after=1)))
        return held

    broken_commits.plan = [("SQLITE_IOERR_FSYNC", False)]
    monkeypatch.setattr(database, "_holds", come_up_late)

    with pytest.raises(CommitUnknownError):
        push(engine, make_events(1, after=1))


@pytest.fixture
def link(engine: DatabaseEngine, vendor: str, livesync_databases: Databases) -> Iterator[CutLink]:
    """The engine's way to its database, which the test may cut."""
    config = livesync_databases.config(vendor)
    with CutLink(int(config["PORT"])) as link, alias_on(config | {"PORT": link.port}):
        yield link


@only_postgresql
@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name.lower())
def test_whenever_the_link_is_cut_at_the_commit_the_answer_is_true(
    engine: DatabaseEngine, link: CutLink, cut: Cut
) -> None:
    for head in range(10):
        link.arm(b"COMMIT\0", cut)  # and not READ COMMITTED
        assert push(engine, make_events(1, after=head)).head == head + 1

    assert link.cuts == 10
    assert numbers(engine) == list(range(1, 11))


@only_postgresql
def test_a_session_that_is_ended_before_its_commit_has_stored_nothing(
    engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_and_commit = STATEMENTS["postgresql"].write_and_commit
    ended: list[int] = []

    def end_first(connection: Any, plan: Any, now: Any) -> None:
        if not ended:
            ended.append(1)
            terminate(connection)
        write_and_commit(connection, plan, now)

    monkeypatch.setattr(STATEMENTS["postgresql"], "write_and_commit", end_first)

    assert push(engine, make_events(2)).head == 2
    assert numbers(engine) == [1, 2]


@only_postgresql
def test_whenever_sessions_are_ended_every_answer_is_true(engine: DatabaseEngine) -> None:
    head, done, begun = 0, threading.Event(), threading.Semaphore(0)
    moments = random.Random(5)
    push(engine, [])

    def end_sessions() -> None:
        with own_connection() as other, other.cursor() as cursor:
            while begun.acquire() and not done.is_set():
                time.sleep(moments.uniform(0, 0.003))  # any moment of a push
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    killer = threading.Thread(target=end_sessions)
    killer.start()
    try:
        while head < 120:
            begun.release()
            # a refusal says that nothing was stored: then the same batch must still be welcome
            with suppress(StorageUnavailableError):
                head = push(engine, make_events(2, after=head)).head
    finally:
        done.set()
        begun.release()
        killer.join()

    assert numbers(engine) == list(range(1, 121))


@only_postgresql
def test_a_commit_whose_answer_is_the_end_of_the_session_is_asked_about(
    engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the error arrives before the driver has noticed that the connection is closed
    execute_for_real = STATEMENTS["postgresql"].execute
    calls: list[str] = []
    push(engine, [])

    def end_behind_commit(driver: Any, statement: str, *parameters: Any) -> Any:
        result = execute_for_real(driver, statement, *parameters)
        if statement == "COMMIT" and not calls:
            calls.append(statement)
            driver._pipeline.sync()
            raise psycopg.errors.AdminShutdown("terminating connection")
        return result

    monkeypatch.setattr(STATEMENTS["postgresql"], "execute", end_behind_commit)

    assert push(engine, make_events(2)).head == 2
    assert numbers(engine) == [1, 2]


@only_postgresql
@pytest.mark.parametrize("what", ["commit", "read", "inspect", "reset"])
def test_the_databases_own_words_are_kept_behind_the_error(
    engine: DatabaseEngine, vendor: str, livesync_databases: Databases, what: str
) -> None:
    config = livesync_databases.config(vendor) | {"PORT": free_port()}
    calls: dict[str, Any] = {
        "commit": lambda: engine.commit([Append(STORE, None, make_events(1))]),
        "read": lambda: numbers(engine),
        "inspect": lambda: engine.inspect(STORE),
        "reset": lambda: engine.reset(STORE),
    }

    with alias_on(config), pytest.raises(StorageUnavailableError) as raised:
        calls[what]()

    assert str(config["PORT"]) not in str(raised.value)
    assert str(config["PORT"]) in str(raised.value.__cause__)


def show(connection: Any, name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


@only_postgresql
def test_a_commit_does_not_depend_on_what_the_server_does_by_default(
    engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_and_commit = STATEMENTS["postgresql"].write_and_commit
    shown: list[str] = []

    def look(connection: Any, plan: Any, now: Any) -> None:
        names = ("transaction_isolation", "idle_in_transaction_session_timeout")
        shown.extend(show(connection, name) for name in names)
        write_and_commit(connection, plan, now)

    monkeypatch.setattr(STATEMENTS["postgresql"], "write_and_commit", look)
    execute(connections[ALIAS], "SET default_transaction_isolation = 'serializable'")
    push(engine, make_events(1))

    assert shown == ["read committed", "10s"]
    assert show(connections[ALIAS], "idle_in_transaction_session_timeout") == "0"


@only_postgresql
def test_a_session_that_was_idle_for_too_long_is_replaced_and_its_commit_done_again(
    engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_and_commit = STATEMENTS["postgresql"].write_and_commit
    paused: list[int] = []

    def pause(connection: Any, plan: Any, now: Any) -> None:
        if not paused:
            paused.append(connection.connection.info.backend_pid)
            execute(connection, "SET LOCAL idle_in_transaction_session_timeout = '1ms'")
            while find(f"SELECT 1 FROM pg_stat_activity WHERE pid = {paused[0]}"):
                time.sleep(0.01)  # until PostgreSQL has ended the session
        write_and_commit(connection, plan, now)

    monkeypatch.setattr(STATEMENTS["postgresql"], "write_and_commit", pause)

    assert push(engine, make_events(2)).head == 2
    assert numbers(engine) == [1, 2]
