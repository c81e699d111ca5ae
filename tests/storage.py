"""A storage engine as tests use it: short to ask, with a second connection for everybody else."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from types import ModuleType
from typing import Any

import pytest
from django.db import connections

from livesync.protocol.events import Event
from livesync.storage import postgresql, sqlite
from livesync.storage.engine import Append, Appended, Engine, LoggedEvent, Slice, StoreDetails
from livesync.storage.routed import RoutedEngine

ALIAS = "livesync"
STORE = "store"
central = pytest.mark.parametrize("vendor", ["sqlite", "postgresql"], indirect=True)
"""Only where the events are in the central tables."""

everywhere = pytest.mark.parametrize("vendor", ["sqlite", "postgresql", "files"], indirect=True)
"""Also where each store has a file of its own."""

MANY = {"max_events": 10_000, "max_bytes": 100_000_000}
STATEMENTS: dict[str, ModuleType] = {"postgresql": postgresql, "sqlite": sqlite}


def push(
    engine: Engine,
    batch: Sequence[Event],
    *,
    to: str = STORE,
    backend_id: str | None = None,
) -> Appended:
    """Append alone; a refusal is raised."""
    (outcome,) = engine.commit([Append(to, backend_id, batch)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def read(engine: Engine, after: int = 0, *, store_id: str = STORE, **limits: int) -> Slice:
    """What follows ``after``, all of it unless a limit is given; the store exists."""
    found = engine.read(store_id, after, **MANY | limits)
    assert found is not None
    return found


def numbers(engine: Engine, store_id: str = STORE) -> list[int]:
    """The numbers of all stored events; none for a store that does not exist."""
    found = engine.read(store_id, 0, **MANY)
    return list(found.seq_nums) if found else []


def stored_events(engine: Engine, store_id: str = STORE) -> list[dict[str, Any]]:
    """The events as a client gets them, but their args as text; None for absent ones."""
    events = []
    for text in read(engine, store_id=store_id).events:
        event = json.loads(text, parse_int=str)["eventEncoded"]
        head, _, _ = text.partition(f',"seqNum":{event["seqNum"]},')
        event["args"] = head.partition('"args":')[2] or None
        events.append(event)
    return events


@contextmanager
def own_connection() -> Iterator[Any]:
    """A second connection to the same database, for what somebody else does there."""
    connection = connections.create_connection(ALIAS)
    try:
        yield connection
    finally:
        if connection.connection is not None:
            # a server lets go of locks some time after a close, but before it answers a rollback
            connection.connection.rollback()
        connection.close()


def execute(connection: Any, statement: str, *parameters: Any) -> None:
    """Run one statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def find(statement: str) -> list[tuple[Any, ...]]:
    """The rows that a statement finds, on a connection of its own."""
    with own_connection() as other, other.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]


def rows(engine: Engine, store_id: str = STORE) -> Sequence[LoggedEvent]:
    """All stored events, as commands see them."""
    store = details(engine, store_id)
    found = engine.headings(store, start=0, newest_first=False, max_events=10_000)
    return engine.events(store, [heading.seq_num for heading in found], max_args_chars=1_000_000)


def details(engine: Engine, store_id: str = STORE) -> StoreDetails:
    """What is known of a store, which exists."""
    found = engine.inspect(store_id)
    assert found is not None
    return found


def kept_events(engine: Engine, store_id: str = STORE) -> int:
    """How many events take room, be they of the history or of former ones."""
    store = details(engine, store_id)
    return len(rows(engine, store_id)) + engine.ended_events(store)


@contextmanager
def store_connection(engine: Engine, store_id: str = STORE) -> Iterator[Any]:
    """A second connection to where the store's events are; ``execute`` knows how to use it."""
    if isinstance(engine, RoutedEngine):
        path = engine.files.layout.file(store_id)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            yield connection
        return
    with own_connection() as connection:
        yield connection


@contextmanager
def held_store(engine: Engine) -> Iterator[None]:
    """The lock that writing to the store needs is somebody else's."""
    with store_connection(engine) as connection:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("BEGIN IMMEDIATE")
        else:
            hold_store(connection)
        yield


def hold_store(connection: Any) -> None:
    """Take the lock that appends to the store need, until the connection is closed."""
    execute(connection, "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")
    execute(connection, "UPDATE livesync_store SET head = head WHERE store_id = %s", STORE)


def terminate(connection: Any) -> None:
    """Let PostgreSQL end a connection; its owner hears of it at the next use."""
    with own_connection() as other:
        pid = connection.connection.info.backend_pid
        execute(other, "SELECT pg_terminate_backend(%s, 10000)", pid)


def run_in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run ``work(0)``, ``work(1)`` ... at the same time, each with a connection of its own."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
