"""Append to the file of a store, and look whether what was appended is there."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from livesync.storage.engine import Append
from livesync.storage.errors import CommitBrokenError
from livesync.storage.files.store_file import FileState, StoreFile
from livesync.storage.plan import EventRow, Plan, StoreRow, make_plan

_COLUMNS = "seqNum, parentSeqNum, name, args, createdAt, clientId, sessionId"
# fifty rows to a statement take less time than fifty statements
_PLACES = {rows: ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * rows) for rows in (50, 10, 1)}


def commit(file: StoreFile, appends: Sequence[Append], *, created_at: str) -> Plan:
    """Store every append that continues the store's eventlog, as events of ``created_at``.

    Raises:
        StoreFrozenError: nothing was looked at.
        CommitBrokenError: the COMMIT failed.
    """
    file.driver.execute("BEGIN IMMEDIATE")
    known = file.known()
    row = store_row(file, known)
    plan = make_plan(appends, {file.store_id: row}, created_at=created_at)
    if not plan.rows:
        file.driver.execute("ROLLBACK")
        return plan
    append_rows(file, known, row, plan.rows)
    file.check()
    try:
        file.driver.execute("COMMIT")
    except sqlite3.Error as error:
        # the log may hold the whole transaction although the driver says otherwise
        name = getattr(error, "sqlite_errorname", "unknown")
        raise CommitBrokenError(plan, sqlite_errorname=name) from error
    return plan


def holds(file: StoreFile, plan: Plan) -> bool:
    """Whether a plan's rows are stored, every one and exactly as planned."""
    first, last = plan.rows[0], plan.rows[-1]
    with file.transaction():
        if file.known(even_if_frozen=True).generation != first.generation:
            return False
        statement = f'SELECT {_COLUMNS} FROM "{file.table}" WHERE seqNum BETWEEN ? AND ?'
        stored = file.driver.execute(statement, (first.seq_num, last.seq_num)).fetchall()
    return stored == [_columns(row) for row in plan.rows]


def store_row(file: StoreFile, known: FileState) -> StoreRow:
    """The store as a plan has it, with none of its bytes counted yet."""
    return StoreRow(
        0, file.store_id, known.generation, known.backend_id, known.head, known.event_count, 0
    )


def append_rows(file: StoreFile, known: FileState, row: StoreRow, rows: Sequence[EventRow]) -> None:
    """Write events that follow what is ``known``, and where the store stands with them.

    Within a transaction. The bytes of ``row`` are those of the events alone.
    """
    _insert(file, rows)
    _insert_gaps(file, known, rows)
    file.driver.execute(
        "UPDATE context_7 SET currentHead = ? WHERE storeId = ?", (row.head, file.store_id)
    )
    file.driver.execute(
        "UPDATE livesync_store SET head = ?, event_count = ?, byte_count = byte_count + ?,"
        " last_push_at = ? WHERE store_id = ?",
        (row.head, row.event_count, row.byte_count, rows[-1].created_at, file.store_id),
    )


def _insert(file: StoreFile, rows: Sequence[EventRow]) -> None:
    start = 0
    for count, places in _PLACES.items():
        statement = f'INSERT INTO "{file.table}" ({_COLUMNS}) VALUES {places}'
        while start + count <= len(rows):
            some = rows[start : start + count]
            file.driver.execute(statement, tuple(chain.from_iterable(map(_columns, some))))
            start += count


def _insert_gaps(file: StoreFile, known: FileState, rows: Sequence[EventRow]) -> None:
    missing = known.missing
    for row in rows:
        jumped = row.seq_num - row.parent_seq_num - 1
        if jumped:
            missing += jumped
            file.driver.execute(
                "INSERT INTO livesync_gap VALUES (?, ?, ?)",
                (known.generation, row.seq_num, missing),
            )


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
