"""Read the SQLite file of a Durable Object or of a D1 database, as wrangler leaves it on disk.

Others may have made the file, so nothing in it is executed: no view, no trigger, no function.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from groundwork.visible_text import visible
from livesync.moving.errors import FileRefusedError
from livesync.moving.reference import (
    CONTEXT_TABLE,
    EVENTLOG_COLUMNS,
    eventlog_table,
    is_shared_name,
    no_eventlog,
)
from livesync.moving.sound import EventCheck, UnsoundError
from livesync.moving.source import Origin
from livesync.protocol.messages import Limits
from livesync.storage.engine import TimedEvent

MAX_VALUE_BYTES = 8_000_000
"""Largest text or blob that is read; Cloudflare keeps rows of 2 MB at most."""

_MAX_TABLES = 10_000
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
_SELECT_EVENTS = """
    SELECT seqNum, parentSeqNum, name, args, clientId, sessionId, createdAt
    FROM "{table}" ORDER BY seqNum
"""
_FAULTS = (sqlite3.Error, OverflowError, UnicodeDecodeError)
"""All that a file of any content can bring about; the last one if SQLite quotes it in an error."""

_NEWEST = " Is the file whose name ends in -wal beside it? It has what was stored last"


class Context(NamedTuple):
    """What a Durable Object knows of its store."""

    store_id: str
    head: int
    backend_id: str


class SqliteSource:
    """Implements ``livesync.moving.source.Source``.

    Args:
        connection: to the file; see ``livesync.moving.opening``.
        store_id: the store that is meant; None for the only one of a Durable Object.
        context: what the Durable Object of a D1 database's store knows of it, from its own file.
        limits: of an event's fields.

    Raises:
        FileRefusedError: the file does not hold that store.
    """

    has_times = True

    def __init__(
        self,
        connection: sqlite3.Connection,
        store_id: str | None,
        context: Context | None,
        limits: Limits,
    ) -> None:
        self._connection = connection
        self._check = EventCheck(limits)
        with refusing():
            self.origin = self._find(store_id, context)
            assert self.origin.store_id is not None
            self._table = eventlog_table(self.origin.store_id)
            self._last = self._last_number()

    def events(self) -> Iterator[TimedEvent]:
        try:
            # row by row: five hundred of the largest rows would not fit into memory
            for row in self._connection.execute(_SELECT_EVENTS.format(table=self._table)):
                yield self._sound(row)
        except _FAULTS as error:
            raise FileRefusedError(f"damaged: {_told(error)}", place=self._place()) from None

    def share_read(self) -> float:
        return self._check.head / self._last if self._last > 0 else 1.0

    def _find(self, store_id: str | None, context: Context | None) -> Origin:
        tables = tables_of(self._connection)
        own = contexts_of(self._connection, tables)
        if store_id is None:
            store_id = _only_store(own)
        found = _context_of(store_id, own)
        table = eventlog_table(store_id)
        if table not in tables:
            raise FileRefusedError(_missing(table, tables, own))
        _check_columns(self._connection, table)
        _check_not_shared(table, store_id, own)
        return _origin(store_id, found, context)

    def _sound(self, row: tuple[object, ...]) -> TimedEvent:
        try:
            return self._check.take_columns(*row)
        except UnsoundError as error:
            raise FileRefusedError(str(error), place=self._place()) from None

    def _place(self) -> str:
        return f"row {self._check.count + 1} of {self._table}"

    def _last_number(self) -> int:
        (last,) = self._connection.execute(f'SELECT max(seqNum) FROM "{self._table}"').fetchone()
        return last if isinstance(last, int) else 0


def lock_down(connection: sqlite3.Connection) -> None:
    """Let a connection to a file of somebody else do nothing but read tables."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA mmap_size = 0")
    connection.set_authorizer(_authorize)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what SQLite says of a file into a refusal of it."""
    try:
        yield
    except _FAULTS as error:
        raise FileRefusedError(f"damaged, or no database: {_told(error)}") from None


def tables_of(connection: sqlite3.Connection) -> list[str]:
    """The names of the tables; views and virtual tables are none."""
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND rootpage > 0 LIMIT ?",
        (_MAX_TABLES,),
    )
    # by their SQL too: what else is said of a virtual table is up to whoever wrote the file
    return [
        name
        for name, sql in rows
        if isinstance(name, str) and isinstance(sql, str) and sql.startswith("CREATE TABLE ")
    ]


def contexts_of(connection: sqlite3.Connection, tables: list[str]) -> list[Context]:
    """The stores that a Durable Object knows; none for another database."""
    if CONTEXT_TABLE not in tables:
        return []
    rows = connection.execute(
        f'SELECT storeId, currentHead, backendId FROM "{CONTEXT_TABLE}" LIMIT 100'
    )
    contexts = [Context(*row) for row in rows]
    for one in contexts:
        if not (type(one.store_id) is type(one.backend_id) is str and type(one.head) is int):
            raise FileRefusedError(f"a row of {CONTEXT_TABLE} is not what it has to be")
    return contexts


def context_of(connection: sqlite3.Connection, store_id: str | None) -> Context:
    """What the file of a Durable Object says of its store.

    Raises:
        FileRefusedError: it is the file of something else, or of another store.
    """
    contexts = contexts_of(connection, tables_of(connection))
    found = _context_of(_only_store(contexts) if store_id is None else store_id, contexts)
    if found is None:
        raise FileRefusedError(f"the file named as context has no table {CONTEXT_TABLE}")
    return found


def _told(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return visible(error.object.decode(errors="replace"))
    return visible(str(error))


def _authorize(action: int, *names: object) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and names[1] == "max"):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _only_store(contexts: list[Context]) -> str:
    if len(contexts) == 1:
        return contexts[0].store_id
    if not contexts:
        raise FileRefusedError("the file does not say which store it holds; name it")
    names = ", ".join(visible(one.store_id) for one in contexts)
    raise FileRefusedError(f"the file knows several stores, name one of them: {names}")


def _context_of(store_id: str, contexts: list[Context]) -> Context | None:
    for one in contexts:
        if one.store_id == store_id:
            return one
    if contexts:
        names = ", ".join(visible(one.store_id) for one in contexts)
        raise FileRefusedError(f"it is of store {names}, not of {visible(store_id)}")
    return None


def _missing(table: str, tables: list[str], contexts: list[Context]) -> str:
    if contexts:
        hint = (
            ": the events of this Durable Object are in a D1 database. Import that one, and name"
            " this file with --context"
        )
        return no_eventlog(table, tables, hint=hint)
    return no_eventlog(table, tables, hint="." + _NEWEST)


def _check_columns(connection: sqlite3.Connection, table: str) -> None:
    connection.set_authorizer(None)
    try:
        # without what is computed from other columns: that would be executed
        columns = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (table,))
        found = {str(name): (str(kind).lower(), pk) for name, kind, pk in columns}
    finally:
        connection.set_authorizer(_authorize)
    missing = [name for name in EVENTLOG_COLUMNS if name not in found]
    if missing:
        raise FileRefusedError(f"the table {visible(table)} has no column {', '.join(missing)}")
    if found["seqNum"] != ("integer", 1):
        # only then are its rows in this order already, and no two have one number
        raise FileRefusedError(f"seqNum is not the primary key of the table {visible(table)}")


def _check_not_shared(table: str, store_id: str, contexts: list[Context]) -> None:
    others = [
        visible(one.store_id)
        for one in contexts
        if one.store_id != store_id and eventlog_table(one.store_id) == table
    ]
    if others:
        raise FileRefusedError(
            f"the table {visible(table)} holds events of {visible(store_id)} and of "
            f"{', '.join(others)}: nobody can tell which are whose"
        )


def _origin(store_id: str, own: Context | None, other: Context | None) -> Origin:
    known = own or other
    return Origin(
        kind="Durable Object" if own else "D1 database",
        store_id=store_id,
        backend_id=known.backend_id if known else None,
        head=known.head if known else None,
        notes=() if own else d1_notes(store_id),
    )


def d1_notes(store_id: str) -> tuple[str, ...]:
    """What has to be known of a table in D1, where all stores are in one database."""
    if not is_shared_name(store_id):
        return ()
    return (
        f"in D1 the table {eventlog_table(store_id)} is shared by all stores whose ids differ from"
        f" {visible(store_id)} in punctuation only; whatever is in it becomes this store's",
    )
