"""The tables of a store's file: the reference's own, and ours beside them.

Ours hold what the reference does not keep and our engine owes: counts, times, resets. They can be
made anew from the others, as happens in a file that comes from a Durable Object. Events have no
column for their place in the history: it is their number, less the numbers that are missing below,
which ``livesync_gap`` adds up where numbers jump.

Source: LiveStore sync-cf 0.4.0, ``cf-worker/do/sqlite.ts``.
"""

import sqlite3
from datetime import UTC, datetime

from livesync.storage.files.layout import eventlog_table

_CREATE_CONTEXT = """
    CREATE TABLE IF NOT EXISTS context_7 (
        storeId text PRIMARY KEY, currentHead integer, backendId text
    ) STRICT
"""
_CREATE_EVENTLOG = """
    CREATE TABLE IF NOT EXISTS "{table}" (
        seqNum integer PRIMARY KEY, parentSeqNum integer NOT NULL, name text NOT NULL, args text,
        createdAt text NOT NULL, clientId text NOT NULL, sessionId text NOT NULL
    ) STRICT
"""
_CREATE_STORE = """
    CREATE TABLE livesync_store (
        store_id text PRIMARY KEY,
        generation integer NOT NULL,
        oldest_generation integer NOT NULL,
        head integer NOT NULL,
        event_count integer NOT NULL,
        byte_count integer NOT NULL,
        created_at text NOT NULL,
        last_push_at text,
        is_frozen integer NOT NULL
    ) STRICT
"""
_CREATE_GAP = """
    CREATE TABLE livesync_gap (
        generation integer NOT NULL,
        seq_num integer NOT NULL,
        missing integer NOT NULL,
        PRIMARY KEY (generation, seq_num)
    ) STRICT, WITHOUT ROWID
"""
_COUNT = """
    SELECT count(*), coalesce(max(seqNum), 0), min(createdAt), max(createdAt),
           coalesce(sum(length(CAST(name AS BLOB)) + coalesce(length(CAST(args AS BLOB)), 0)), 0)
    FROM "{table}"
"""
_FIND_GAPS = """
    INSERT INTO livesync_gap (generation, seq_num, missing)
    SELECT ?, seqNum, sum(jump - 1) OVER (ORDER BY seqNum) FROM (
        SELECT seqNum, seqNum - lag(seqNum, 1, 0) OVER (ORDER BY seqNum) AS jump FROM "{table}"
    ) WHERE jump > 1
"""
_WAL = 2


class ForeignFileError(sqlite3.DatabaseError):
    """A file that is not the one of this store, or whose events do not reach up to its head."""


def new_file(
    store_id: str,
    backend_id: str,
    *,
    generation: int = 1,
    created_at: str | None = None,
    is_frozen: bool = False,
) -> bytes:
    """The content of the file of an empty store, which SQLite will open with a write-ahead log."""
    driver = sqlite3.connect(":memory:", isolation_level=None)
    try:
        make_eventlog(driver, store_id)
        driver.execute(_CREATE_CONTEXT)
        driver.execute("INSERT INTO context_7 VALUES (?, 0, ?)", (store_id, backend_id))
        _make_own_tables(driver)
        _insert_store(driver, store_id, generation, created_at=created_at, is_frozen=is_frozen)
        content = bytearray(driver.serialize())
    finally:
        driver.close()
    # the file format's versions for writing and reading: a database in memory has no log
    content[18] = content[19] = _WAL
    return bytes(content)


def make_eventlog(driver: sqlite3.Connection, store_id: str) -> None:
    """Make the table of a store's events, unless it is there."""
    driver.execute(_CREATE_EVENTLOG.format(table=eventlog_table(store_id)))


def has_own_tables(driver: sqlite3.Connection) -> bool:
    """Whether the file has been in this engine's care."""
    found = driver.execute("SELECT 1 FROM sqlite_schema WHERE name = 'livesync_store'")
    return found.fetchone() is not None


def take_in(driver: sqlite3.Connection, store_id: str) -> None:
    """Make our tables in a file that somebody else has written; within a transaction.

    Raises:
        ForeignFileError: it holds no store of this id.
    """
    if has_own_tables(driver):
        return
    found = driver.execute("SELECT 1 FROM sqlite_schema WHERE name = 'context_7'").fetchone()
    if found is None or _head(driver, store_id) is None:
        raise ForeignFileError("the file holds another store, or none")
    make_eventlog(driver, store_id)
    _make_own_tables(driver)
    _insert_store(driver, store_id, 1)
    recount(driver, store_id)


def recount(driver: sqlite3.Connection, store_id: str) -> None:
    """Make our counts anew from the events; within a transaction.

    Raises:
        ForeignFileError: the last events are missing.
    """
    table = eventlog_table(store_id)
    count, last, first_at, last_at, size = driver.execute(_COUNT.format(table=table)).fetchone()
    head = _head(driver, store_id)
    if head is None or head > last:
        raise ForeignFileError(f"the head is {head}, but the last event has number {last}")
    # the reference writes the head apart from the events, and may have been stopped in between
    driver.execute("UPDATE context_7 SET currentHead = ? WHERE storeId = ?", (last, store_id))
    driver.execute(
        "UPDATE livesync_store SET head = ?, event_count = ?, byte_count = ?,"
        " created_at = min(created_at, coalesce(?, created_at)), last_push_at = ?"
        " WHERE store_id = ?",
        (last, count, size, first_at, last_at, store_id),
    )
    (generation,) = driver.execute("SELECT generation FROM livesync_store").fetchone()
    driver.execute("DELETE FROM livesync_gap WHERE generation = ?", (generation,))
    driver.execute(_FIND_GAPS.format(table=table), (generation,))


def _head(driver: sqlite3.Connection, store_id: str) -> int | None:
    found = driver.execute("SELECT currentHead FROM context_7 WHERE storeId = ?", (store_id,))
    row = found.fetchone()
    return None if row is None else int(row[0] or 0)


def _make_own_tables(driver: sqlite3.Connection) -> None:
    driver.execute(_CREATE_STORE)
    driver.execute(_CREATE_GAP)


def _insert_store(
    driver: sqlite3.Connection,
    store_id: str,
    generation: int,
    *,
    created_at: str | None = None,
    is_frozen: bool = False,
) -> None:
    created_at = created_at or datetime.now(UTC).isoformat()
    driver.execute(
        "INSERT INTO livesync_store VALUES (?, ?, ?, 0, 0, 0, ?, NULL, ?)",
        (store_id, generation, generation, created_at, is_frozen),
    )
