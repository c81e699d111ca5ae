"""Remove what has expired, a batch at a time.

Nobody can see an expired row, so removing one changes no answer; what must never go is a live row.
Each statement that deletes says itself that the row has expired, by the database's one clock, and
holds the row while it decides. Rows know no shard: removing what has expired is not a write that
would have to ask whether its shard is frozen.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

from chatstate.storage import clock
from chatstate.storage.postgresql import NOW
from chatstate.storage.steps import Statement
from groundwork.connections import close_quietly, with_connection
from groundwork.sqlite_files import check_file

T = TypeVar("T")


class Counts(NamedTuple):
    """Expired rows of each kind."""

    locks: int = 0
    cache_entries: int = 0
    lists: int = 0
    list_items: int = 0
    queue_entries: int = 0
    answers: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(*(mine + more for mine, more in zip(self, other, strict=True)))


KINDS = ("locks", "cache_entries", "lists", "queue_entries", "answers")
"""What is removed one after the other; list items go with their lists."""

_TABLES = {
    "locks": "chatstate_heldlock",
    "cache_entries": "chatstate_cacheentry",
    "queue_entries": "chatstate_queuedentry",
    "answers": "chatstate_keptanswer",
}
_KEYS = {
    "chatstate_queuedentry": "namespace, key_digest, number",
    "chatstate_keptanswer": "expires_at_ms, namespace, request_id",
}
_EXPIRED = "expires_at_ms <= :now"
_HOLD = " FOR UPDATE SKIP LOCKED"
# with the most items that each can have
_HEADS = """
    SELECT id, last_number - first_number + 1 FROM chatstate_listhead
    WHERE expires_at_ms <= :now ORDER BY expires_at_ms LIMIT :n
"""
_DELETE_ITEMS = Statement("""
    DELETE FROM chatstate_listitem WHERE (namespace, key_digest, number) IN (
        SELECT item.namespace, item.key_digest, item.number
        FROM chatstate_listhead AS head JOIN chatstate_listitem AS item
             ON item.namespace = head.namespace AND item.key_digest = head.key_digest
        WHERE head.id = :head AND head.expires_at_ms <= :now ORDER BY item.number LIMIT :n
    )
""")
# the head goes last: without it numbers start again, and would meet those of items that are left
_DELETE_HEAD = Statement("""
    DELETE FROM chatstate_listhead WHERE id = :head AND expires_at_ms <= :now AND NOT EXISTS (
        SELECT 1 FROM chatstate_listitem AS item
        WHERE item.namespace = chatstate_listhead.namespace
              AND item.key_digest = chatstate_listhead.key_digest
    )
""")
_COUNTS = {
    **{
        kind: Statement(f"SELECT count(*) FROM {table} WHERE expires_at_ms <= :now")
        for kind, table in {**_TABLES, "lists": "chatstate_listhead"}.items()
    },
    "list_items": Statement("""
        SELECT count(*) FROM chatstate_listhead AS head JOIN chatstate_listitem AS item
               ON item.namespace = head.namespace AND item.key_digest = head.key_digest
        WHERE head.expires_at_ms <= :now
    """),
}


class _Statements(NamedTuple):
    """What differs between the databases."""

    deletes: Mapping[str, Statement]
    heads: Statement


def _sqlite_delete(table: str, oldest: str) -> Statement:
    key = _KEYS.get(table, "id")
    return Statement(
        f"DELETE FROM {table} WHERE ({key}) IN ({oldest.format(row=key)}) AND {_EXPIRED}"
    )


def _postgresql_delete(table: str, oldest: str) -> Statement:
    # an array is made once; a subquery with a limit may run again, and then finds other rows
    rows = f"ARRAY({oldest.format(row='ctid')}{_HOLD})"
    return Statement(f"DELETE FROM {table} WHERE ctid = ANY({rows}) AND {_EXPIRED}")


def _oldest(table: str) -> str:
    return f"SELECT {{row}} FROM {table} WHERE {_EXPIRED} ORDER BY expires_at_ms LIMIT :n"


_SQLITE = _Statements(
    {kind: _sqlite_delete(table, _oldest(table)) for kind, table in _TABLES.items()},
    Statement(_HEADS),
)
_POSTGRESQL = _Statements(
    {kind: _postgresql_delete(table, _oldest(table)) for kind, table in _TABLES.items()},
    Statement(_HEADS + _HOLD),
)


class Batch(NamedTuple):
    """What one transaction deleted, and for how many seconds other writers may have waited."""

    counts: Counts
    held_s: float


def remove(alias: str, kind: str, *, max_rows: int, until_ms: int | None = None) -> Batch:
    """Delete the oldest expired rows of a kind, in one short transaction.

    Args:
        alias: of the database.
        kind: one of ``KINDS``.
        max_rows: how many at most; the heads of lists come on top of their items.
        until_ms: leave what expires later than this; what is live by the clock is always left.

    Raises:
        DatabaseUnavailableError: the database does not answer; deleting again does no harm.
    """

    def work(transaction: _Transaction) -> Batch:
        now_ms = transaction.begin()
        began_s = time.monotonic()
        parameters = {"now": now_ms if until_ms is None else min(now_ms, until_ms), "n": max_rows}
        if kind == "lists":
            removed = _remove_lists(transaction, parameters)
        else:
            delete = transaction.statements.deletes[kind]
            removed = Counts(**{kind: transaction.run(delete, parameters).rowcount})
        transaction.end(is_changed=any(removed))
        return Batch(removed, time.monotonic() - began_s)

    return _in_transaction(alias, work)


def count(alias: str) -> Counts:
    """How many expired rows there are; reads through all of them.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """

    def work(transaction: _Transaction) -> Counts:
        now = {"now": transaction.now_ms()}
        counted = {kind: transaction.run(s, now).fetchall()[0][0] for kind, s in _COUNTS.items()}
        return Counts(**counted)

    return _in_transaction(alias, work)


def now_ms(alias: str) -> int:
    """What the database's one clock shows, in milliseconds since 1970.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    return _in_transaction(alias, lambda transaction: transaction.now_ms())


class _Transaction(Protocol):
    """One short transaction on a database's own driver."""

    statements: _Statements

    def now_ms(self) -> int: ...
    def begin(self) -> int: ...
    def run(self, statement: Statement, parameters: Mapping[str, Any]) -> Any: ...
    def end(self, *, is_changed: bool) -> None: ...


def _in_transaction(alias: str, work: Callable[[_Transaction], T]) -> T:
    def run(connection: BaseDatabaseWrapper) -> T:
        try:
            return work(_TRANSACTIONS[connection.vendor](connection))
        except BaseException:
            # closing is a rollback that also works on a connection in an unknown state
            close_quietly(connection)
            raise

    return with_connection(alias, run)


def _remove_lists(transaction: _Transaction, parameters: Mapping[str, Any]) -> Counts:
    """Delete lists whose heads are held by this transaction: nobody can append to one meanwhile."""
    statements = transaction.statements
    lists = items = 0
    left = parameters["n"]
    for head, size in transaction.run(statements.heads, parameters).fetchall():
        if left <= 0 or (items and size > left):
            break  # only the first may be larger than a batch: it takes several
        at_head = {**parameters, "head": head, "n": left}
        items += transaction.run(_DELETE_ITEMS, at_head).rowcount
        lists += transaction.run(_DELETE_HEAD, at_head).rowcount
        left = parameters["n"] - items
    return Counts(lists=lists, list_items=items)


class _SQLite:
    statements = _SQLITE

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._driver = cast(sqlite3.Connection, connection.connection)
        self._instant = clock.Instant(0, 0, 0)

    def now_ms(self) -> int:
        return clock.read(self._driver, clock.Machine(), is_writing=False).now_ms

    def begin(self) -> int:
        self._driver.execute("BEGIN IMMEDIATE")
        self._instant = clock.read(self._driver, clock.Machine(), is_writing=True)
        return self._instant.now_ms

    def run(self, statement: Statement, parameters: Mapping[str, Any]) -> sqlite3.Cursor:
        return self._driver.execute(statement.sqlite, statement.in_order(parameters))

    def end(self, *, is_changed: bool) -> None:
        check_file(self._connection)
        if is_changed:
            # also after a boot the clock must not show what was before this
            clock.advance(self._driver, self._instant, fence=self._instant.fence)
        self._driver.execute("COMMIT" if is_changed else "ROLLBACK")


class _PostgreSQL:
    statements = _POSTGRESQL

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._driver = cast("psycopg.Connection[Any]", connection.connection)

    def now_ms(self) -> int:
        return int(self._execute(NOW).fetchall()[0][0])

    def begin(self) -> int:
        # as the statements were written for, whatever the server's default is
        self._execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        self._execute("SET LOCAL idle_in_transaction_session_timeout = '10s'")
        self._execute("SET LOCAL lock_timeout = '2s'")
        return self.now_ms()

    def run(self, statement: Statement, parameters: Mapping[str, Any]) -> "psycopg.Cursor[Any]":
        return self._execute(statement.postgresql, parameters)

    def end(self, *, is_changed: bool) -> None:
        self._execute("COMMIT" if is_changed else "ROLLBACK")

    def _execute(self, text: str, parameters: Any = ()) -> "psycopg.Cursor[Any]":
        return psycopg.Cursor(self._driver).execute(text.encode(), parameters)


_TRANSACTIONS: dict[str, Callable[[BaseDatabaseWrapper], _Transaction]] = {
    "sqlite": _SQLite,
    "postgresql": _PostgreSQL,
}
