"""Carry out jobs on SQLite, on the driver's own connection: one transaction for all of them."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any, cast

from django.db.backends.base.base import BaseDatabaseWrapper

from chatstate.conf import get_settings
from chatstate.protocol.errors import BusyError, FrozenError
from chatstate.protocol.messages import NULL
from chatstate.protocol.operations import (
    AcquireLock,
    EndHold,
    Enqueue,
    ExtendLock,
    ForceReleaseLock,
    Operation,
    ReleaseLock,
)
from chatstate.storage import clock
from chatstate.storage.context import Context
from chatstate.storage.errors import CommitBrokenError
from chatstate.storage.jobs import (
    Budget,
    Done,
    Job,
    Kept,
    Key,
    Result,
    is_worth_keeping,
    kept_under,
    operation_digest,
)
from chatstate.storage.plans import plan
from chatstate.storage.steps import Outcome, Row, Statement
from groundwork.sqlite_files import check_file
from groundwork.sqlite_log import grow_log

SELECT_SHARD = "SELECT is_frozen FROM chatstate_shard WHERE name = ?"
INSERT_SHARD = "INSERT INTO chatstate_shard (name, is_frozen) VALUES (?, 0)"
IS_THERE = "SELECT EXISTS (SELECT 1 FROM {})"
# places for some instants and ids are filled in; one with json_each takes as long for eight ids as
# for one
SELECT_KEPT = """
    SELECT request_id, operation_digest, answer FROM chatstate_keptanswer
    WHERE expires_at_ms IN ({}) AND namespace = ? AND request_id IN ({})
"""
KEEP = """
    INSERT INTO chatstate_keptanswer (namespace, request_id, operation_digest, answer,
                                      expires_at_ms)
    VALUES (?, ?, ?, ?, ?)
"""
# the table lies in the order of their expiry
FORGET = """
    DELETE FROM chatstate_keptanswer WHERE (expires_at_ms, namespace, request_id) IN (
        SELECT expires_at_ms, namespace, request_id FROM chatstate_keptanswer
        WHERE expires_at_ms <= ? ORDER BY 1, 2, 3 LIMIT ?
    )
"""

_MAY_END_A_HOLD = {ReleaseLock, ExtendLock, ForceReleaseLock, EndHold}
_MOST_LOOKED_UP = 256
"""Request ids in one statement."""
_SPAN_MS = 60_000
"""What expires within such a span is kept to its end."""
_ONE_ROW: Sequence[Row] = ((1,),)
_NO_ROWS: Sequence[Row] = ()
_FORGET_EVERY = 32
"""One answer in so many removes twice as many old ones: together they lie in few pages."""


def run(connection: BaseDatabaseWrapper, jobs: Sequence[Job], machine: clock.Machine) -> list[Done]:
    """Carry out the jobs and commit.

    Raises:
        CommitBrokenError: COMMIT was asked for and failed.
    """
    driver = cast(sqlite3.Connection, connection.connection)
    is_writing = any(job.writes for job in jobs)
    if is_writing:
        grow_log(connection)
    driver.execute("BEGIN IMMEDIATE" if is_writing else "BEGIN")
    instant = clock.read(driver, machine, is_writing=is_writing)
    transaction = _Transaction(driver, instant)
    if is_writing:
        transaction.look_up(jobs)
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
        self._kept: dict[Key, Kept] = {}
        self._keep: dict[Key, Kept] = {}
        self._held: set[tuple[str, str]] = set()
        self._empty: dict[str, bool] = {}
        self._has_new_holder = False
        self._frozen: dict[str, bool] = {}
        self._budget = Budget()
        self._list_page_max_chars = get_settings().list_page_max_chars

    def look_up(self, jobs: Sequence[Job]) -> None:
        """Find the answers that were kept for operations which may have been done before."""
        asked: defaultdict[str, list[str]] = defaultdict(list)
        for job in jobs:
            asked[job.namespace] += job.asked_for
        for namespace, request_ids in asked.items():
            for some in _in_powers_of_two(request_ids):
                self._look_up(namespace, some)

    def _look_up(self, namespace: str, request_ids: Sequence[str]) -> None:
        spans = _live_spans(self._now_ms)
        select = _select_kept(len(spans), len(request_ids))
        for request_id, *kept in self._driver.execute(select, (*spans, namespace, *request_ids)):
            self._kept[namespace, request_id] = Kept(*kept)

    def carry_out(self, job: Job) -> list[Result]:
        is_frozen = job.writes and self._is_frozen(job.shard)
        context = Context(job.namespace, self._now_ms, self._fences, self._list_page_max_chars)
        return [
            FrozenError(job.shard)
            if is_frozen and operation.right == "write"
            else self._once(operation, context)
            for operation in job.operations
        ]

    def finish(self) -> None:
        # who did not get the lock was not told a fence either, and need not wait for the disk
        fence = next(self._fences) - 1 if self._has_new_holder else self._instant.fence
        clock.advance(self._driver, self._instant, fence=fence)
        if self._keep:
            expires_at_ms = _live_spans(self._now_ms)[-1]
            rows = [(*key, *kept, expires_at_ms) for key, kept in self._keep.items()]
            self._driver.executemany(KEEP, rows)
            self._forget()

    def _forget(self) -> None:
        chosen = sum(kept.operation_digest[0] % _FORGET_EVERY == 0 for kept in self._keep.values())
        if chosen:
            self._driver.execute(FORGET, (self._now_ms, 2 * _FORGET_EVERY * chosen))

    def _once(self, operation: Operation, context: Context) -> Result:
        if self._budget.refuses(operation):
            return BusyError()
        request_id = kept_under(operation)
        if request_id is None:
            return self._execute(operation, context)
        key = (context.namespace, request_id)
        kept = self._keep.get(key) or self._kept.get(key)
        if kept is not None:
            return kept.repeat(operation_digest(operation))
        outcome = self._execute(operation, context)
        if is_worth_keeping(operation, outcome):
            self._keep[key] = Kept(operation_digest(operation), cast(str, outcome))
        return outcome

    def _execute(self, operation: Operation, context: Context) -> Outcome:
        if type(operation) is AcquireLock:
            return self._acquire(operation, context)
        if type(operation) in _MAY_END_A_HOLD:
            self._held.discard((context.namespace, operation.place))
        elif type(operation) is Enqueue:
            self._empty.clear()
        return self._carry_out_plan(operation, context)

    def _acquire(self, operation: AcquireLock, context: Context) -> Outcome:
        # one instant for the whole transaction: what is held stays held until an operation ends it
        lock = (context.namespace, operation.thread_id)
        if lock in self._held:
            return NULL
        outcome = self._carry_out_plan(operation, context)
        if outcome == NULL:
            self._held.add(lock)
        else:
            self._has_new_holder = True
        return outcome

    def _carry_out_plan(self, operation: Operation, context: Context) -> Outcome:
        statements, parameters, answer, max_chars = plan(operation, context)
        rows = [self._rows(statement, parameters, max_chars) for statement in statements]
        outcome = answer(rows)
        self._budget.spend(outcome)
        return outcome

    def _rows(
        self, statement: Statement, parameters: Mapping[str, Any], max_chars: int | None
    ) -> Sequence[Row]:
        if statement.only_from is not None and self._is_empty(statement.only_from):
            return _NO_ROWS
        cursor = self._driver.execute(statement.sqlite, statement.in_order(parameters))
        if statement.tells_change:
            return _ONE_ROW if cursor.rowcount else _NO_ROWS
        return cursor.fetchall() if max_chars is None else _up_to(cursor, max_chars)

    def _is_empty(self, table: str) -> bool:
        if table not in self._empty:
            (is_there,) = self._driver.execute(IS_THERE.format(table)).fetchone()
            self._empty[table] = not is_there
        return self._empty[table]

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


@cache
def _select_kept(spans: int, request_ids: int) -> str:
    return SELECT_KEPT.format(", ".join("?" * spans), ", ".join("?" * request_ids))


def _in_powers_of_two(request_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """In slices; the last id fills up each, so that there are few statements to prepare."""
    for first in range(0, len(request_ids), _MOST_LOOKED_UP):
        some = request_ids[first : first + _MOST_LOOKED_UP]
        size = 1 << (len(some) - 1).bit_length()
        yield [*some, *[some[-1]] * (size - len(some))]


def _live_spans(now_ms: int) -> Sequence[int]:
    """When answers that are kept by now may expire, and last when a new one does."""
    last_ms = now_ms + get_settings().answers_kept_ms
    return range(_end_of_span(now_ms), _end_of_span(last_ms) + 1, _SPAN_MS)


def _end_of_span(instant_ms: int) -> int:
    return (instant_ms // _SPAN_MS + 1) * _SPAN_MS
