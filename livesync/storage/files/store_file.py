"""The file of one store, open: what is read and written there.

The write lock of the file is the lock of the store. No method leaves a transaction open, unless it
raises: then the connection is of no more use.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from groundwork.sqlite_files import opened_file
from livesync.protocol.chunking import utf8_size
from livesync.protocol.messages import encode_item
from livesync.storage.engine import Append, Heading, LoggedEvent, Slice, StoreState
from livesync.storage.errors import CommitBrokenError
from livesync.storage.files import schema
from livesync.storage.files.layout import ended_table, eventlog_table
from livesync.storage.places import StoreElsewhereError
from livesync.storage.plan import EventRow, Plan, StoreRow, make_plan
from livesync.storage.timestamps import iso_text

_BUSY_MS = 5_000
_CACHE_KIB = 256  # a site may have hundreds of files open
# pages; soon the log grows no more, and overwriting it is faster; hundreds of them take less room
_CHECKPOINT_PAGES = 200

_SELECT_STATE = """
    SELECT context.backendId, context.currentHead, store.head, store.event_count, store.byte_count,
           store.generation, store.oldest_generation, store.created_at, store.last_push_at,
           store.is_frozen
    FROM context_7 AS context JOIN livesync_store AS store ON store.store_id = context.storeId
    WHERE context.storeId = ?
"""
_COLUMNS = "seqNum, parentSeqNum, name, args, createdAt, clientId, sessionId"
_PLACES = {rows: ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * rows) for rows in (50, 10, 1)}
_ARGS_BYTES = "coalesce(length(CAST(args AS BLOB)), 0)"
_SELECT_MISSING = """
    SELECT missing FROM livesync_gap WHERE generation = ? AND seq_num <= ?
    ORDER BY seq_num DESC LIMIT 1
"""
_SELECT_MISSING_BELOW = """
    SELECT missing FROM livesync_gap WHERE generation = ? AND seq_num <= event.seqNum
    ORDER BY seq_num DESC LIMIT 1
"""
_ENDED_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?"


class StoreFrozenError(StoreElsewhereError):
    """Whether the store still lives in this file has to be asked where places are kept."""


class FileState(NamedTuple):
    """Where the store stands, as its file says."""

    backend_id: str
    head: int
    counted_head: int
    event_count: int
    byte_count: int
    generation: int
    oldest_generation: int
    created_at: str
    last_push_at: str | None
    is_frozen: int

    @property
    def state(self) -> StoreState:
        """What readers are told of it."""
        return StoreState(self.backend_id, self.head, self.event_count)

    @property
    def missing(self) -> int:
        """How many numbers below the head no event has."""
        return self.head - self.event_count


class StoreFile:
    """A connection to the file of a store, for one thread at a time.

    Raises:
        sqlite3.DatabaseError: the file cannot be opened, or is no file of this store.
    """

    def __init__(self, path: Path, store_id: str) -> None:
        self.path = path
        self.store_id = store_id
        self._table = eventlog_table(store_id)
        self._busy_ms = _BUSY_MS
        # mode=rw: a new file would be a new history; another thread may use it after this one
        self.driver = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_MS / 1_000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._set_up()
        except BaseException:
            self.driver.close()
            raise

    def close(self) -> None:
        """Close it; the last one to do so writes the log into the file."""
        self.driver.close()

    def is_there(self) -> bool:
        """Whether this is still the file that its name leads to."""
        return self._opened.is_there()

    def wait_for_lock(self, busy_ms: int) -> None:
        """From now on, wait so long where somebody else is writing."""
        if busy_ms != self._busy_ms:
            self.driver.execute(f"PRAGMA busy_timeout = {busy_ms}")
            self._busy_ms = busy_ms

    def state(self, *, even_if_frozen: bool = False) -> FileState:
        """Where the store stands.

        Raises:
            StoreFrozenError: it is frozen.
        """
        with self._snapshot():
            return self._state(even_if_frozen)

    def known(self, *, even_if_frozen: bool = False) -> FileState:
        """``state``, within a transaction."""
        return self._state(even_if_frozen)

    def commit(self, appends: Sequence[Append], now: datetime) -> Plan:
        """Store every append that continues the store's eventlog.

        Raises:
            StoreFrozenError: nothing was looked at.
            CommitBrokenError: the COMMIT failed.
        """
        self.driver.execute("BEGIN IMMEDIATE")
        known = self._state()
        row = StoreRow(0, self.store_id, known.generation, *known.state[:2], known.event_count, 0)
        plan = make_plan(appends, {self.store_id: row}, created_at=iso_text(now))
        if not plan.rows:
            self.driver.execute("ROLLBACK")
            return plan
        self._append(known, row, plan.rows)
        self._opened.check()
        try:
            self.driver.execute("COMMIT")
        except sqlite3.Error as error:
            # the log may hold the whole transaction although the driver says otherwise
            name = getattr(error, "sqlite_errorname", "unknown")
            raise CommitBrokenError(plan, sqlite_errorname=name) from error
        return plan

    def holds(self, plan: Plan) -> bool:
        """Whether a plan's rows are stored, every one and exactly as planned."""
        first, last = plan.rows[0], plan.rows[-1]
        with self.transaction():
            if self._state(even_if_frozen=True).generation != first.generation:
                return False
            statement = f'SELECT {_COLUMNS} FROM "{self._table}" WHERE seqNum BETWEEN ? AND ?'
            stored = self.driver.execute(statement, (first.seq_num, last.seq_num)).fetchall()
        return stored == [_columns(row) for row in plan.rows]

    def read(
        self, after: int, max_events: int, max_bytes: int, *, even_if_frozen: bool = False
    ) -> Slice:
        """A contiguous piece of the history, in one snapshot.

        Raises:
            StoreFrozenError: it is frozen.
        """
        with self._snapshot():
            return self._read(self._state(even_if_frozen), after, max_events, max_bytes)

    def headings(
        self, generation: int, start: int, *, newest_first: bool, max_events: int
    ) -> list[Heading]:
        """What ``Engine.headings`` gives."""
        table = self._table_of(generation)
        bound, order = ("<=", "DESC") if newest_first else (">=", "ASC")
        statement = (
            f'SELECT seqNum, name, clientId, {_ARGS_BYTES} FROM "{table}"'
            f" WHERE seqNum {bound} ? ORDER BY seqNum {order} LIMIT ?"
        )
        rows = self._rows(table, statement, (start, max_events))
        return [Heading(*row) for row in rows]

    def events(
        self, generation: int, seq_nums: Sequence[int], *, max_args_chars: int
    ) -> list[LoggedEvent]:
        """What ``Engine.events`` gives."""
        table = self._table_of(generation)
        places = ", ".join("?" * len(seq_nums))
        statement = (
            f"SELECT seqNum, parentSeqNum, seqNum - coalesce(({_SELECT_MISSING_BELOW}), 0), name,"
            f" substr(args, 1, ?), {_ARGS_BYTES}, clientId, sessionId, createdAt"
            f' FROM "{table}" AS event WHERE seqNum IN ({places}) ORDER BY seqNum'
        )
        rows = self._rows(table, statement, (generation, max_args_chars, *seq_nums))
        return [LoggedEvent(*row) for row in rows]

    def rows_after(
        self, generation: int, after: int, max_events: int
    ) -> list[tuple[Any, ...]] | None:
        """The events numbered above ``after``: number, parent, name, args, client, session, time.

        None if ``generation`` is not the store's any more.
        """
        statement = (
            "SELECT seqNum, parentSeqNum, name, args, clientId, sessionId, createdAt"
            f' FROM "{self._table}" WHERE seqNum > ? ORDER BY seqNum LIMIT ?'
        )
        with self._snapshot():
            if self._state(even_if_frozen=True).generation != generation:
                return None
            return self.driver.execute(statement, (after, max_events)).fetchall()

    def reset(self, backend_id: str) -> FileState:
        """End the history and begin another; the state before. Within ``transaction``.

        Raises:
            StoreFrozenError: it is frozen.
        """
        former = self._state()
        self.driver.execute(
            f'ALTER TABLE "{self._table}" RENAME TO {ended_table(former.generation)}'
        )
        schema.make_eventlog(self.driver, self.store_id)
        self.driver.execute("UPDATE context_7 SET currentHead = 0, backendId = ?", (backend_id,))
        self.driver.execute(
            "UPDATE livesync_store SET generation = generation + 1, head = 0, event_count = 0,"
            " byte_count = 0, last_push_at = NULL"
        )
        return former

    def adopt(self, rows: Sequence[EventRow], byte_count: int) -> None:
        """Append events with times of their own. Within ``transaction``."""
        known = self._state(even_if_frozen=True)
        row = StoreRow(0, self.store_id, known.generation, *known.state[:2], known.event_count, 0)
        row.head, row.event_count = rows[-1].seq_num, known.event_count + len(rows)
        self._append(known, row, rows, byte_count)

    def set_frozen(self, is_frozen: bool) -> None:
        """Let everybody who meets the store here ask whether it still is, or no more."""
        self.driver.execute("UPDATE livesync_store SET is_frozen = ?", (is_frozen,))

    def set_backend_id(self, backend_id: str) -> None:
        """Give an empty store another identity."""
        self.driver.execute("UPDATE context_7 SET backendId = ?", (backend_id,))

    def ended_generations(self) -> list[int]:
        """The histories that were ended, and of which some events are left."""
        pattern = ended_table(0)[:-1]
        names = self.driver.execute(_ENDED_TABLES, (f"{pattern}[0-9]*",)).fetchall()
        return sorted(int(name.removeprefix(pattern)) for (name,) in names)

    def count_ended(self, generation: int) -> int:
        """How many of its events are left."""
        statement = f"SELECT count(*) FROM {ended_table(generation)}"
        return int(self.driver.execute(statement).fetchone()[0])

    def purge(self, generation: int, max_events: int) -> int:
        """Delete events of an ended history; with the last, its table. Within ``transaction``."""
        table = ended_table(generation)
        deleted = self.driver.execute(
            f"DELETE FROM {table} WHERE seqNum IN (SELECT seqNum FROM {table} LIMIT ?)",
            (max_events,),
        ).rowcount
        if self.driver.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is None:
            self.driver.execute(f"DROP TABLE {table}")
            self.driver.execute("DELETE FROM livesync_gap WHERE generation = ?", (generation,))
        return deleted

    def forget_ended(self) -> None:
        """Note that nothing is left of ended histories. Within ``transaction``."""
        self.driver.execute("UPDATE livesync_store SET oldest_generation = generation")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that nobody else can write beside."""
        self.driver.execute("BEGIN IMMEDIATE")
        yield
        self._opened.check()
        self.driver.execute("COMMIT")

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        self.driver.execute("BEGIN")
        yield
        self.driver.execute("COMMIT")
        self._opened.check()

    def _set_up(self) -> None:
        self.driver.execute("PRAGMA synchronous = FULL")
        self.driver.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self.driver.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        self._opened = opened_file(self.driver)
        self._take_in()
        # not before: a file that is no store's is left as it is
        self.driver.execute("PRAGMA journal_mode = WAL").fetchone()
        self._state(even_if_frozen=True)
        self._opened = opened_file(self.driver)

    def _take_in(self) -> None:
        is_ours = schema.has_own_tables(self.driver)
        if is_ours:
            known = self._state(even_if_frozen=True)
            if known.head == known.counted_head:
                return
        # somebody else has written to the file: it was made elsewhere, or was there meanwhile
        self.driver.execute("BEGIN IMMEDIATE")
        schema.take_in(self.driver, self.store_id)
        if is_ours:
            schema.recount(self.driver, self.store_id)
        self.driver.execute("COMMIT")

    def _state(self, even_if_frozen: bool = False) -> FileState:
        row = self.driver.execute(_SELECT_STATE, (self.store_id,)).fetchone()
        if row is None:
            raise schema.ForeignFileError("the file holds another store")
        known = FileState(*row)
        if known.is_frozen and not even_if_frozen:
            raise StoreFrozenError
        return known

    def _append(
        self, known: FileState, row: StoreRow, rows: Sequence[EventRow], size: int | None = None
    ) -> None:
        self._insert(rows)
        self._insert_gaps(known, rows)
        self.driver.execute(
            "UPDATE context_7 SET currentHead = ? WHERE storeId = ?", (row.head, self.store_id)
        )
        self.driver.execute(
            "UPDATE livesync_store SET head = ?, event_count = ?, byte_count = byte_count + ?,"
            " last_push_at = ? WHERE store_id = ?",
            (
                row.head,
                row.event_count,
                row.byte_count if size is None else size,
                rows[-1].created_at,
                self.store_id,
            ),
        )

    def _insert(self, rows: Sequence[EventRow]) -> None:
        start = 0
        for count, places in _PLACES.items():
            statement = f'INSERT INTO "{self._table}" ({_COLUMNS}) VALUES {places}'
            while start + count <= len(rows):
                some = rows[start : start + count]
                self.driver.execute(statement, tuple(chain.from_iterable(map(_columns, some))))
                start += count

    def _insert_gaps(self, known: FileState, rows: Sequence[EventRow]) -> None:
        missing = known.missing
        for row in rows:
            jumped = row.seq_num - row.parent_seq_num - 1
            if jumped:
                missing += jumped
                self.driver.execute(
                    "INSERT INTO livesync_gap VALUES (?, ?, ?)",
                    (known.generation, row.seq_num, missing),
                )

    def _read(self, known: FileState, after: int, max_events: int, max_bytes: int) -> Slice:
        seq_nums: list[int] = []
        events: list[str] = []
        size = 0
        statement = (
            "SELECT seqNum, parentSeqNum, name, args, clientId, sessionId, createdAt"
            f' FROM "{self._table}" WHERE seqNum > ? ORDER BY seqNum LIMIT ?'
        )
        cursor = self.driver.execute(statement, (after, max_events))
        for row in cursor:
            text = encode_item(*row)
            size += utf8_size(text)
            if size > max_bytes and events:
                break
            seq_nums.append(row[0])
            events.append(text)
        cursor.close()
        remaining = self._count_after(known, seq_nums[-1]) if seq_nums else 0
        return Slice(known.state, seq_nums, events, remaining)

    def _count_after(self, known: FileState, seq_num: int) -> int:
        missing = 0
        if known.missing:
            bounds = (known.generation, seq_num)
            found = self.driver.execute(_SELECT_MISSING, bounds).fetchone()
            missing = found[0] if found else 0
        return known.event_count - (seq_num - missing)

    def _table_of(self, generation: int) -> str:
        current = self.state(even_if_frozen=True).generation
        return self._table if generation == current else ended_table(generation)

    def _rows(self, table: str, statement: str, parameters: Sequence[Any]) -> list[Any]:
        try:
            found = self.driver.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return []  # a reset, and the purge that followed it
        self._opened.check()
        return found


def _columns(row: EventRow) -> tuple[Any, ...]:
    return (
        row.seq_num,
        row.parent_seq_num,
        row.name,
        row.args,
        row.created_at,
        row.client_id,
        row.session_id,
    )
