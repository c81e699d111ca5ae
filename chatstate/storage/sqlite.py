"""Carry out jobs on SQLite, on the driver's own connection: one transaction for all of them."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import count
from typing import cast

from django.db.backends.base.base import BaseDatabaseWrapper

from chatstate.conf import get_settings
from chatstate.protocol.errors import BusyError, FrozenError
from chatstate.protocol.operations import Operation
from chatstate.storage import clock
from chatstate.storage.context import Context
from chatstate.storage.errors import CommitBrokenError
from chatstate.storage.jobs import (
    Budget,
    Done,
    Job,
    Kept,
    Result,
    is_worth_keeping,
    kept_under,
    operation_digest,
)
from chatstate.storage.plans import plan
from chatstate.storage.steps import Outcome, Row
from groundwork.sqlite_files import check_file

SELECT_SHARD = "SELECT is_frozen FROM chatstate_shard WHERE name = ?"
INSERT_SHARD = "INSERT INTO chatstate_shard (name, is_frozen) VALUES (?, 0)"
SELECT_KEPT = """
    SELECT operation_digest, answer FROM chatstate_keptanswer
    WHERE namespace = ? AND request_id = ?
"""
KEEP = """
    INSERT INTO chatstate_keptanswer (namespace, request_id, operation_digest, answer,
                                      expires_at_ms)
    VALUES (?, ?, ?, ?, ?)
"""
OLDEST_KEPT = "SELECT expires_at_ms FROM chatstate_keptanswer ORDER BY id LIMIT 1"
# they expire in the order in which they were kept; each new one makes room by two old ones
FORGET = """
    DELETE FROM chatstate_keptanswer WHERE id IN (
        SELECT id FROM (
            SELECT id, expires_at_ms FROM chatstate_keptanswer ORDER BY id LIMIT ?
        ) WHERE expires_at_ms <= ?
    )
"""


def run(connection: BaseDatabaseWrapper, jobs: Sequence[Job], machine: clock.Machine) -> list[Done]:
    """Carry out the jobs and commit.

    Raises:
        CommitBrokenError: COMMIT was asked for and failed.
    """
    driver = cast(sqlite3.Connection, connection.connection)
    is_writing = any(job.writes for job in jobs)
    driver.execute("BEGIN IMMEDIATE" if is_writing else "BEGIN")
    instant = clock.read(driver, machine, is_writing=is_writing)
    transaction = _Transaction(driver, instant)
    done = [Done(transaction.carry_out(job)) for job in jobs]
    if is_writing:
        transaction.finish()
    check_file(connection)
    try:
        driver.execute("COMMIT")
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "unknown")
        raise CommitBrokenError(sqlite_errorname=name) from error
    return done


class _Transaction:
    def __init__(self, driver: sqlite3.Connection, instant: clock.Instant) -> None:
        self._driver = driver
        self._instant = instant
        self._now_ms = instant.now_ms
        self._fences: Iterator[int] = count(instant.fence + 1)
        self._keep: dict[tuple[str, str], Kept] = {}
        self._frozen: dict[str, bool] = {}
        self._budget = Budget()
        self._list_page_max_chars = get_settings().list_page_max_chars

    def carry_out(self, job: Job) -> list[Result]:
        if job.writes and self._is_frozen(job.shard):
            return [FrozenError(job.shard)] * len(job.operations)
        context = Context(job.namespace, self._now_ms, self._fences, self._list_page_max_chars)
        return [self._once(operation, context) for operation in job.operations]

    def finish(self) -> None:
        clock.advance(self._driver, self._instant, fence=next(self._fences) - 1)
        if self._keep:
            expires_at_ms = self._now_ms + get_settings().answers_kept_ms
            rows = [(*key, *kept, expires_at_ms) for key, kept in self._keep.items()]
            self._forget(2 * len(rows))
            self._driver.executemany(KEEP, rows)

    def _forget(self, most: int) -> None:
        oldest = self._driver.execute(OLDEST_KEPT).fetchone()
        if oldest is not None and oldest[0] <= self._now_ms:
            self._driver.execute(FORGET, (most, self._now_ms))

    def _once(self, operation: Operation, context: Context) -> Result:
        if self._budget.refuses(operation):
            return BusyError()
        request_id = kept_under(operation)
        if request_id is None:
            return self._execute(operation, context)
        key, digest = (context.namespace, request_id), operation_digest(operation)
        kept = self._keep.get(key) or self._find(key)
        if kept is not None:
            return kept.repeat(digest)
        outcome = self._execute(operation, context)
        if is_worth_keeping(operation, outcome):
            self._keep[key] = Kept(digest, cast(str, outcome))
        return outcome

    def _execute(self, operation: Operation, context: Context) -> Outcome:
        statements, parameters, answer, max_chars = plan(operation, context)
        execute = self._driver.execute
        if max_chars is None:
            rows = [execute(s.sqlite, parameters).fetchall() for s in statements]
        else:
            rows = [_up_to(execute(s.sqlite, parameters), max_chars) for s in statements]
        outcome = answer(rows)
        self._budget.spend(outcome)
        return outcome

    def _find(self, key: tuple[str, str]) -> Kept | None:
        row = self._driver.execute(SELECT_KEPT, key).fetchone()
        return Kept(*row) if row is not None else None

    def _is_frozen(self, shard: str) -> bool:
        if shard not in self._frozen:
            row = self._driver.execute(SELECT_SHARD, (shard,)).fetchone()
            if row is None:
                self._driver.execute(INSERT_SHARD, (shard,))
            self._frozen[shard] = row is not None and bool(row[0])
        return self._frozen[shard]


def _up_to(cursor: sqlite3.Cursor, max_chars: int) -> list[Row]:
    """The first rows, as long as their second columns fit in ``max_chars``; at least one."""
    rows: list[Row] = []
    for row in cursor:
        max_chars -= len(row[1])
        if max_chars < 0 and rows:
            cursor.close()
            break
        rows.append(row)
    return rows
