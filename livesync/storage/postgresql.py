"""The statements of the ``database`` engine on PostgreSQL, on the driver's own connection.

A commit takes two round trips, each a pipeline: lock the stores; write and commit. Events go over
as one text per column: psycopg writes that five times as fast as arrays.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

from groundwork.psycopg_driver import (
    COMMIT_FAULTS,
    Cursor,
    Driver,
    begin,
    driver_of,
    execute,
    is_broken,
)
from livesync.protocol.pages import encode_item
from livesync.storage.backend_id import new_backend_id
from livesync.storage.engine import Slice, StoreState
from livesync.storage.errors import CommitBrokenError
from livesync.storage.places import check_place
from livesync.storage.plan import EventRow, Plan, StoreRow, mark_new

LOCK_STORES = """
    SELECT id, store_id, generation, backend_id, head, event_count, byte_count, place
    FROM livesync_store WHERE store_id = ANY(%s) ORDER BY id FOR UPDATE
"""
LOCK_FREE_STORES = f"{LOCK_STORES} SKIP LOCKED"
SELECT_IDS = "SELECT store_id FROM livesync_store WHERE store_id = ANY(%s)"
INSERT_STORES = """
    INSERT INTO livesync_store (store_id, backend_id, created_at, generation, oldest_generation,
                                head, event_count, byte_count)
    SELECT store_id, backend_id, %s, 1, 1, 0, 0, 0
    FROM unnest(%s::text[], %s::text[]) AS new (store_id, backend_id)
    ON CONFLICT DO NOTHING
"""
_INSERT_EVENTS = """
    INSERT INTO livesync_storedevent (store_id, generation, seq_num, parent_seq_num, ordinal,
                                      name, args, client_id, session_id, created_at)
    SELECT key, generation, seq_num, parent, ordinal,
           coalesce(name, ''), nullif(args, ''), coalesce(client, ''), coalesce(session, ''),
           {created_at}
    FROM unnest(string_to_array(%s, ',')::bigint[], string_to_array(%s, ',')::bigint[],
                string_to_array(%s, ',')::bigint[], string_to_array(%s, ',')::bigint[],
                string_to_array(%s, ',')::bigint[],
                string_to_array(%s, %s), string_to_array(%s, %s),
                string_to_array(%s, %s), string_to_array(%s, %s){created_ats})
         AS new (key, generation, seq_num, parent, ordinal, name, args, client, session{column})
"""
INSERT_EVENTS = _INSERT_EVENTS.format(created_at="%s", created_ats="", column="")
INSERT_OLD_EVENTS = _INSERT_EVENTS.format(
    created_at="created_at",
    created_ats=",\n                string_to_array(%s, ',')",
    column=", created_at",
)
UPDATE_STORES = """
    UPDATE livesync_store AS store
    SET head = new.head, event_count = new.events, byte_count = new.bytes, last_push_at = %s
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
         AS new (key, head, events, bytes)
    WHERE store.id = new.key
"""
SELECT_SLICE = """
    SELECT store.place, store.backend_id, store.head, store.event_count,
           event.seq_num, event.parent_seq_num, event.name, event.args,
           event.client_id, event.session_id, event.created_at, event.ordinal
    FROM livesync_store AS store LEFT JOIN LATERAL (
        SELECT following.*, sum(size) OVER (ORDER BY seq_num) AS running_size
        FROM (
            SELECT stored.*, coalesce(octet_length(args), 0) + 200 AS size
            FROM livesync_storedevent AS stored
            WHERE stored.store_id = store.id AND stored.generation = store.generation
                  AND seq_num > %s
            ORDER BY seq_num LIMIT %s
        ) AS following
    ) AS event ON running_size <= %s OR running_size = size
    WHERE store.store_id = %s
    ORDER BY event.seq_num
"""
SELECT_STATES = """
    SELECT store_id, backend_id, head, event_count FROM livesync_store
    WHERE store_id = ANY(%s) AND place = 'database'
"""
SELECT_ROWS = """
    SELECT store_id, generation, seq_num, parent_seq_num, ordinal,
           name, args, client_id, session_id, created_at
    FROM livesync_storedevent
    WHERE store_id = %s AND generation = %s AND seq_num BETWEEN %s AND %s ORDER BY seq_num
"""


def lock_stores(
    connection: BaseDatabaseWrapper, store_ids: Sequence[str], now: datetime
) -> dict[str, StoreRow]:
    """Open a transaction that holds the rows of these stores; make those that are missing."""
    driver = driver_of(connection)
    with driver.pipeline():
        begin(driver)
        # processes that append to one store take turns well within this; whoever takes longer
        # is passed over from then on
        execute(driver, "SET LOCAL lock_timeout = '500ms'")
        locked = execute(driver, LOCK_STORES, (list(store_ids),))
    stores = _rows_by_id(locked)
    missing = [store_id for store_id in store_ids if store_id not in stores]
    if missing:
        backend_ids = [new_backend_id() for _ in missing]
        with driver.pipeline():
            execute(driver, INSERT_STORES, (now, missing, backend_ids))
            locked = execute(driver, LOCK_STORES, (missing,))
        stores |= mark_new(_rows_by_id(locked), backend_ids)
    return stores


def lock_free_stores(
    connection: BaseDatabaseWrapper, store_ids: Sequence[str], now: datetime
) -> dict[str, StoreRow]:
    """``lock_stores``, but pass over the stores that somebody else holds or is about to make."""
    driver = driver_of(connection)
    with driver.pipeline():
        begin(driver)
        execute(driver, "SET LOCAL lock_timeout = '20ms'")
        locked = execute(driver, LOCK_FREE_STORES, (list(store_ids),))
        known = execute(driver, SELECT_IDS, (list(store_ids),))
    stores = _rows_by_id(locked)
    existing = stores.keys() | {store_id for (store_id,) in known}
    for store_id in store_ids:
        if store_id not in existing:
            stores |= _make_unless_held(driver, store_id, now)
    return stores


def write_and_commit(connection: BaseDatabaseWrapper, plan: Plan, now: datetime) -> None:
    """Write the plan's rows and end the transaction of ``lock_stores``."""
    driver = driver_of(connection)
    try:
        with driver.pipeline():
            if plan.rows:
                execute(driver, INSERT_EVENTS, (plan.created_at, *_event_texts(plan.rows)))
                execute(driver, UPDATE_STORES, _store_arrays(plan, now))
            execute(driver, "COMMIT")
    except COMMIT_FAULTS as error:
        if is_broken(driver, error):
            raise CommitBrokenError(plan) from error
        raise


def holds(connection: BaseDatabaseWrapper, plan: Plan) -> bool:
    """Tell whether the plan's rows are stored, every one and exactly as planned."""
    driver = driver_of(connection)
    for key, rows in groupby(sorted(plan.rows), key=lambda row: row[:2]):
        planned = list(rows)
        bounds = (*key, planned[0].seq_num, planned[-1].seq_num)
        stored = [EventRow(*row) for row in execute(driver, SELECT_ROWS, bounds)]
        if stored != planned:
            return False
    return True


def insert_events(connection: BaseDatabaseWrapper, rows: Sequence[EventRow]) -> None:
    """Insert rows, each with a time of its own, in the transaction that is open."""
    created_ats = ",".join(row.created_at for row in rows)
    execute(driver_of(connection), INSERT_OLD_EVENTS, (*_event_texts(rows), created_ats))


def read(
    connection: BaseDatabaseWrapper, store_id: str, after: int, max_events: int, max_bytes: int
) -> Slice | None:
    """A contiguous piece of a store's history; one statement, so one snapshot."""
    driver = driver_of(connection)
    bounds = (after, max_events, max_bytes, store_id)
    rows = execute(driver, SELECT_SLICE, bounds).fetchall()
    if not rows:
        return None
    check_place(rows[0][0])
    state = StoreState(*rows[0][1:4])
    if rows[0][4] is None:
        return Slice(state, [], [], 0)
    events = [encode_item(*row[4:11]) for row in rows]
    return Slice(state, [row[4] for row in rows], events, state.event_count - rows[-1][11])


def states(connection: BaseDatabaseWrapper, store_ids: Sequence[str]) -> dict[str, StoreState]:
    """The states of those stores that the central tables keep."""
    rows = execute(driver_of(connection), SELECT_STATES, (list(store_ids),))
    return {store_id: StoreState(*state) for store_id, *state in rows}


def _make_unless_held(driver: Driver, store_id: str, now: datetime) -> dict[str, StoreRow]:
    backend_id = new_backend_id()
    execute(driver, "SAVEPOINT without_store")
    try:
        execute(driver, INSERT_STORES, (now, [store_id], [backend_id]))
    except psycopg.errors.LockNotAvailable:  # another transaction is making it
        execute(driver, "ROLLBACK TO SAVEPOINT without_store")
        return {}
    return mark_new(_rows_by_id(execute(driver, LOCK_FREE_STORES, ([store_id],))), [backend_id])


def _event_texts(rows: Sequence[EventRow]) -> tuple[str, ...]:
    columns = list(zip(*rows, strict=True))
    numbers = [",".join(map(str, column)) for column in columns[:5]]
    names, args, clients, sessions = ([text or "" for text in c] for c in columns[5:9])
    texts: list[str] = []
    for column in (names, args, clients, sessions):
        separator = _separator(column)
        texts += (separator.join(column), separator)
    return (*numbers, *texts)


def _separator(texts: Iterable[str]) -> str:
    """Something that occurs in none of ``texts``; JSON never holds a raw U+001E, names may."""
    separator = "\x1e"
    while any(separator in text for text in texts):
        separator = f"\x1e{new_backend_id()}\x1e"
    return separator


def _store_arrays(plan: Plan, now: datetime) -> tuple[Any, ...]:
    keys = [store.key for store in plan.moved]
    heads = [store.head for store in plan.moved]
    counts = [store.event_count for store in plan.moved]
    sizes = [store.byte_count for store in plan.moved]
    return (now, keys, heads, counts, sizes)


def _rows_by_id(cursor: Cursor) -> dict[str, StoreRow]:
    return {row[1]: StoreRow(*row) for row in cursor.fetchall()}
