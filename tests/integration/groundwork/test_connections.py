"""Threads with connections of their own: checked, closed after faults, closed at the end."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    InternalError,
    OperationalError,
    connections,
)
from django.db.backends.base.base import BaseDatabaseWrapper

from groundwork import connections as module
from groundwork.connections import (
    ConnectionThreads,
    DatabaseUnavailableError,
    RowLockedError,
    close_quietly,
    sql_state,
    with_connection,
)
from livesync.storage.database import DatabaseEngine
from tests.integration.conftest import Databases, alias_on
from tests.processes import free_port
from tests.storage import ALIAS, execute, terminate

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)


class Work:
    """A piece of work that fails as planned, and remembers the connections it was given."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.drivers: list[Any] = []

    def __call__(self, connection: BaseDatabaseWrapper) -> str:
        assert connection.connection is not None
        self.drivers.append(connection.connection)
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def of_state(state: str) -> DatabaseError:
    """Django's error for one of PostgreSQL with this SQLSTATE."""
    cause = psycopg.errors.lookup(state)("as planned")
    is_internal = isinstance(cause, psycopg.InternalError)
    error = InternalError("as planned") if is_internal else OperationalError("as planned")
    error.__cause__ = cause
    return error


def sqlite_busy() -> OperationalError:
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorname = "SQLITE_BUSY"
    error = OperationalError("database is locked")
    error.__cause__ = cause
    return error


@pytest.fixture
def opened(engine: DatabaseEngine) -> BaseDatabaseWrapper:
    """A connection from before."""
    connections[ALIAS].ensure_connection()
    return connections[ALIAS]


def test_work_gets_a_connection_that_is_kept(engine: DatabaseEngine) -> None:
    work = Work()

    assert with_connection(ALIAS, work) == "done"
    assert with_connection(ALIAS, work) == "done"
    assert work.drivers[0] is work.drivers[1] is connections[ALIAS].connection


@only_sqlite
@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_deadlock_is_tried_three_times(engine: DatabaseEngine, state: str) -> None:
    twice = Work(of_state(state), of_state(state))
    too_often = Work(*[of_state(state)] * 3)

    assert with_connection(ALIAS, twice) == "done"
    with pytest.raises(DatabaseUnavailableError):
        with_connection(ALIAS, too_often)
    assert len(set(map(id, twice.drivers))) == 3  # a fresh connection each time
    assert len(too_often.drivers) == 3


@only_sqlite
@pytest.mark.parametrize("state", ["57P01", "57P02", "57P03", "08006", "08P01", "25P03"])
def test_a_connection_from_before_may_have_died_meanwhile(
    opened: BaseDatabaseWrapper, state: str
) -> None:
    work = Work(of_state(state))

    assert with_connection(ALIAS, work) == "done"
    assert len(work.drivers) == 2


@only_sqlite
@pytest.mark.parametrize("state", ["57P01", "08006"])
def test_a_new_connection_that_dies_is_a_fault(engine: DatabaseEngine, state: str) -> None:
    work = Work(of_state(state))

    with pytest.raises(DatabaseUnavailableError):
        with_connection(ALIAS, work)

    assert len(work.drivers) == 1
    assert connections[ALIAS].connection is None


@only_sqlite
@pytest.mark.parametrize("error", [of_state("53100"), of_state("55P03"), sqlite_busy()])
def test_what_will_not_pass_at_once_is_not_tried_again(
    opened: BaseDatabaseWrapper, error: Exception
) -> None:
    work = Work(error)

    with pytest.raises(DatabaseUnavailableError):
        with_connection(ALIAS, work)

    assert len(work.drivers) == 1
    assert opened.connection is None


@only_sqlite
def test_a_lock_that_is_not_granted_is_told_apart(engine: DatabaseEngine) -> None:
    with pytest.raises(RowLockedError):
        with_connection(ALIAS, Work(of_state("55P03")))


@only_sqlite
@pytest.mark.parametrize("error", [IntegrityError(), DatabaseError()])
def test_a_definite_error_is_raised_as_it_is_and_ends_the_connection(
    engine: DatabaseEngine, error: Exception
) -> None:
    with pytest.raises(type(error)):
        with_connection(ALIAS, Work(error))

    assert connections[ALIAS].connection is None
    assert with_connection(ALIAS, Work()) == "done"


def test_the_drivers_errors_become_djangos(engine: DatabaseEngine) -> None:
    def work(connection: BaseDatabaseWrapper) -> None:
        if connection.vendor == "postgresql":
            raise psycopg.IntegrityError
        raise sqlite3.IntegrityError

    with pytest.raises(IntegrityError):
        with_connection(ALIAS, work)


@only_postgresql
def test_a_session_that_the_server_has_ended_is_replaced(opened: BaseDatabaseWrapper) -> None:
    terminate(opened)

    with_connection(ALIAS, lambda connection: execute(connection, "SELECT 1"))


@only_postgresql
def test_a_server_that_is_not_there_is_out_of_reach(
    engine: DatabaseEngine, vendor: str, livesync_databases: Databases
) -> None:
    config = livesync_databases.config(vendor) | {"PORT": free_port()}
    work = Work()

    with alias_on(config), pytest.raises(DatabaseUnavailableError):
        with_connection(ALIAS, work)

    assert work.drivers == []


@only_sqlite
def test_closing_what_cannot_be_closed_still_forgets_it(opened: BaseDatabaseWrapper) -> None:
    class Unclosable:
        def close(self) -> None:
            raise ValueError("broken beyond closing")

    opened.connection.close()
    opened.connection = Unclosable()

    close_quietly(opened)

    assert opened.connection is None
    assert with_connection(ALIAS, Work()) == "done"


def test_an_sql_state_is_found_behind_djangos_error() -> None:
    assert sql_state(of_state("40001")) == "40001"
    assert sql_state(ValueError()) is None
    assert sql_state(None) is None


@pytest.fixture
def threads() -> Iterator[ConnectionThreads]:
    threads = ConnectionThreads("reader of a test", 3)
    yield threads
    threads.stop()


async def test_calls_run_beside_each_other_in_threads(threads: ConnectionThreads) -> None:
    meeting = threading.Barrier(3)

    places = await asyncio.gather(*(threads.run(meeting.wait, 20) for _ in range(3)))

    assert sorted(places) == [0, 1, 2]


async def test_a_call_has_its_arguments_and_its_error(threads: ConnectionThreads) -> None:
    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 7, 0)


async def test_a_call_whose_caller_has_gone_is_not_begun(threads: ConnectionThreads) -> None:
    gate = threading.Event()
    begun: list[int] = []
    busy = [threads.run(gate.wait, 20) for _ in range(3)]
    waiting = threads.run(begun.append, 1)
    waiting.cancel()
    gate.set()

    await asyncio.gather(*busy)
    await threads.run(int)

    assert begun == []


async def test_stopping_lets_calls_finish_and_closes_their_connections(
    engine: DatabaseEngine,
) -> None:
    threads = ConnectionThreads("reader of a test", 1)
    seen: list[BaseDatabaseWrapper] = []

    def work() -> str:
        with_connection(ALIAS, seen.append)
        return "done"

    future = threads.run(work)
    await asyncio.to_thread(threads.stop)

    assert await future == "done"
    assert seen[0].connection is None
    assert await threads.run(work) == "done"  # and they start again when they are used
    threads.stop()


def test_a_loop_that_has_ended_wants_no_answer(threads: ConnectionThreads) -> None:
    gate = threading.Event()

    async def leave() -> None:
        threads.run(gate.wait, 20)

    async def stay() -> int:
        return await threads.run(int)

    asyncio.run(leave())
    gate.set()
    assert asyncio.run(stay()) == 0


def test_only_a_closed_loop_is_passed_over() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    module.call_in_loop(loop, print)

    class Refusing:
        def call_soon_threadsafe(self, *_: object) -> None:
            raise RuntimeError("another reason")

        def is_closed(self) -> bool:
            return False

    with pytest.raises(RuntimeError, match="another reason"):
        module.call_in_loop(Refusing(), print)  # type: ignore[arg-type] # only what is used
