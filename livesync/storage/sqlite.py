"""The statements of the ``database`` engine on SQLite, on the driver's own connection."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, groupby
from typing import cast

from django.db.backends.base.base import BaseDatabaseWrapper

from groundwork.sqlite_files import check_file
from groundwork.sqlite_log import grow_log
from livesync.models import Place
from livesync.protocol.chunking import utf8_size
from livesync.protocol.pages import encode_item
from livesync.storage.backend_id import new_backend_id
from livesync.storage.engine import Slice, StoreState
from livesync.storage.errors import CommitBrokenError
from livesync.storage.places import check_place
from livesync.storage.plan import EventRow, Plan, StoreRow, mark_new

SELECT_STORES = """
    SELECT id, store_id, generation, backend_id, head, event_count, byte_count, place
    FROM livesync_store
    WHERE store_id IN (SELECT value FROM json_each(?)) ORDER BY id
"""
INSERT_STORE = """
    INSERT INTO livesync_store (store_id, backend_id, created_at, generation, oldest_generation,
                                head, event_count, byte_count)
    VALUES (?, ?, ?, 1, 1, 0, 0, 0) ON CONFLICT DO NOTHING
"""
INSERT_EVENTS = """
    INSERT INTO livesync_storedevent (store_id, generation, seq_num, parent_seq_num, ordinal,
                                      name, args, client_id, session_id, created_at)
    VALUES
"""
_PLACES = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# fifty rows to a statement take half the time of fifty statements; a SQLite of before 3.32 takes
# no more than 999 values
_INSERTS = {rows: INSERT_EVENTS + ", ".join([_PLACES] * rows) for rows in (50, 10, 1)}
UPDATE_STORE = """
    UPDATE livesync_store SET head = ?, event_count = ?, byte_count = ?, last_push_at = ?
    WHERE id = ?
"""
SELECT_STORE = """
    SELECT place, id, generation, backend_id, head, event_count
    FROM livesync_store WHERE store_id = ?
"""
SELECT_EVENTS = """
    SELECT seq_num, parent_seq_num, name, args, client_id, session_id, created_at, ordinal
    FROM livesync_storedevent
    WHERE store_id = ? AND generation = ? AND seq_num > ? ORDER BY seq_num LIMIT ?
"""
SELECT_ROWS = """
    SELECT store_id, generation, seq_num, parent_seq_num, ordinal,
           name, args, client_id, session_id, created_at
    FROM livesync_storedevent
    WHERE store_id = ? AND generation = ? AND seq_num BETWEEN ? AND ? ORDER BY seq_num
"""


def lock_stores(
    connection: BaseDatabaseWrapper, store_ids: Sequence[str], now: datetime
) -> dict[str, StoreRow]:
    """Open a transaction that nobody else can write beside; make the stores that are missing."""
    driver = _driver(connection)
    grow_log(connection)
    driver.execute("BEGIN IMMEDIATE")
    stores = _select_stores(driver, store_ids)
    missing = [store_id for store_id in store_ids if store_id not in stores]
    if missing:
        created_at = connection.ops.adapt_datetimefield_value(now)
        backend_ids = {store_id: new_backend_id() for store_id in missing}
        driver.executemany(INSERT_STORE, [(*new, created_at) for new in backend_ids.items()])
        stores |= mark_new(_select_stores(driver, missing), backend_ids.values())
    return stores


def write_and_commit(connection: BaseDatabaseWrapper, plan: Plan, now: datetime) -> None:
    """Write the plan's rows and end the transaction of ``lock_stores``."""
    driver = _driver(connection)
    pushed_at = connection.ops.adapt_datetimefield_value(now)
    _insert_events(driver, plan.rows)
    driver.executemany(
        UPDATE_STORE,
        [(s.head, s.event_count, s.byte_count, pushed_at, s.key) for s in plan.moved],
    )
    check_file(connection)
    try:
        driver.execute("COMMIT")
    except sqlite3.Error as error:
        # the log may hold the whole transaction although the driver says otherwise
        name = getattr(error, "sqlite_errorname", "unknown")
        raise CommitBrokenError(plan, sqlite_errorname=name) from error


def holds(connection: BaseDatabaseWrapper, plan: Plan) -> bool:
    """Tell whether the plan's rows are stored, every one and exactly as planned."""
    driver = _driver(connection)
    for key, rows in groupby(sorted(plan.rows), key=lambda row: row[:2]):
        planned = list(rows)
        bounds = (*key, planned[0].seq_num, planned[-1].seq_num)
        stored = [EventRow(*row) for row in driver.execute(SELECT_ROWS, bounds)]
        if stored != planned:
            return False
    return True


def insert_events(connection: BaseDatabaseWrapper, rows: Sequence[EventRow]) -> None:
    """Insert rows in the transaction that is open."""
    _insert_events(_driver(connection), rows)


def read(
    connection: BaseDatabaseWrapper, store_id: str, after: int, max_events: int, max_bytes: int
) -> Slice | None:
    """A contiguous piece of a store's history, in one snapshot."""
    driver = _driver(connection)
    driver.execute("BEGIN")
    try:
        return _read(driver, store_id, after, max_events, max_bytes)
    finally:
        driver.execute("COMMIT")


def states(connection: BaseDatabaseWrapper, store_ids: Sequence[str]) -> dict[str, StoreState]:
    """The states of those stores that the central tables keep."""
    stores = _select_stores(_driver(connection), store_ids).values()
    here = [store for store in stores if store.place == Place.DATABASE]
    return {s.store_id: StoreState(s.backend_id, s.head, s.event_count) for s in here}


def _read(
    driver: sqlite3.Connection, store_id: str, after: int, max_events: int, max_bytes: int
) -> Slice | None:
    store = driver.execute(SELECT_STORE, (store_id,)).fetchone()
    if store is None:
        return None
    place, key, generation, backend_id, head, event_count = store
    check_place(place)
    seq_nums: list[int] = []
    events: list[str] = []
    size, ordinal = 0, event_count
    cursor = driver.execute(SELECT_EVENTS, (key, generation, after, max_events))
    for row in cursor:
        text = encode_item(*row[:7])
        size += utf8_size(text)
        if size > max_bytes and events:
            break
        seq_nums.append(row[0])
        events.append(text)
        ordinal = row[7]
    cursor.close()
    return Slice(StoreState(backend_id, head, event_count), seq_nums, events, event_count - ordinal)


def _insert_events(driver: sqlite3.Connection, rows: Sequence[EventRow]) -> None:
    start = 0
    for count, statement in _INSERTS.items():
        while start + count <= len(rows):
            driver.execute(statement, tuple(chain.from_iterable(rows[start : start + count])))
            start += count


def _select_stores(driver: sqlite3.Connection, store_ids: Sequence[str]) -> dict[str, StoreRow]:
    rows = driver.execute(SELECT_STORES, (json.dumps(list(store_ids)),))
    return {row[1]: StoreRow(*row) for row in rows}


def _driver(connection: BaseDatabaseWrapper) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection)
