"""Carry out jobs on PostgreSQL, on the driver's own connection, in three round trips.

Lock and look; carry out; keep the answers and commit. Each is a pipeline. Every key that is written
is locked first, all in one order: groups of several processes that meet cannot deadlock, and who
asks again waits for the first time to end.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, cast

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

from chatstate.conf import get_settings
from chatstate.protocol.errors import BusyError, FrozenError, KeyHeldError
from chatstate.protocol.operations import AcquireLock, GetList, Operation
from chatstate.storage.clock import Machine
from chatstate.storage.context import Context, digest
from chatstate.storage.errors import CommitBrokenError, RequestIdTakenError
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
from chatstate.storage.steps import Outcome, Plan
from groundwork.psycopg_driver import (
    COMMIT_FAULTS,
    Cursor,
    Driver,
    begin,
    driver_of,
    execute,
    is_broken,
)

logger = logging.getLogger(__name__)

# in place of a namespace where shards are locked; no bot can have it
_SHARDS = ""

# operations in one round trip; what they return is in memory together: lists count for more
_SLICE = 64
_LISTS_IN_SLICE = 16

NOW = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
# shared by all who write; who wants to freeze a shard takes it alone, and so waits for them
LOCK_SHARDS = """
    SELECT pg_advisory_xact_lock_shared(key)
    FROM (SELECT unnest(%s::bigint[]) AS key ORDER BY 1) AS keys
"""
LOCK_KEYS = """
    SELECT pg_advisory_xact_lock(key)
    FROM (SELECT unnest(string_to_array(%s, ',')::bigint[]) AS key ORDER BY 1) AS keys
"""
TRY_LOCK_KEYS = """
    SELECT key FROM (SELECT unnest(string_to_array(%s, ',')::bigint[]) AS key) AS keys
    WHERE NOT pg_try_advisory_xact_lock(key)
"""
SELECT_SHARDS = "SELECT name, is_frozen FROM chatstate_shard WHERE name = ANY(%s)"
INSERT_SHARDS = """
    INSERT INTO chatstate_shard (name, is_frozen) SELECT unnest(%s::text[]), false
    ON CONFLICT DO NOTHING
"""
NEXT_FENCES = "SELECT nextval('chatstate_fence') FROM generate_series(1, %s)"
SELECT_KEPT = """
    SELECT kept.namespace, kept.request_id, operation_digest, answer
    FROM chatstate_keptanswer AS kept
    JOIN unnest(string_to_array(%s, E'\\x1e'), string_to_array(%s, E'\\x1e'))
         AS asked (namespace, request_id)
         ON kept.namespace = asked.namespace AND kept.request_id = asked.request_id
"""
KEEP = """
    INSERT INTO chatstate_keptanswer (namespace, request_id, operation_digest, answer,
                                      expires_at_ms)
    SELECT namespace, request_id, decode(operation_digest, 'hex'), answer, %s
    FROM unnest(string_to_array(%s, E'\\x1e'), string_to_array(%s, E'\\x1e'),
                string_to_array(%s, E'\\x1e'), string_to_array(%s, E'\\x1e'))
         AS new (namespace, request_id, operation_digest, answer)
"""
# each new one makes room by two old ones; those that another transaction removes are left to it
FORGET = """
    DELETE FROM chatstate_keptanswer WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM chatstate_keptanswer WHERE expires_at_ms <= %s
        ORDER BY expires_at_ms LIMIT %s FOR UPDATE SKIP LOCKED
    ))
"""


# processes that write to one key take turns well within this; whoever takes longer is passed over
# from then on
_TAKE_TURNS = "500ms"
_AT_ONCE = "20ms"


def run(connection: BaseDatabaseWrapper, jobs: Sequence[Job], machine: Machine) -> list[Done]:
    """Carry out the jobs and commit. The time is the database's, not the machine's.

    Raises:
        CommitBrokenError: COMMIT was asked for and the connection broke.
        RequestIdTakenError: nothing was stored, as another process was faster.
    """
    driver = driver_of(connection)
    if not any(job.writes for job in jobs):
        (now_ms,) = execute(driver, NOW).fetchone() or (0,)
        start = _Start(now_ms, iter(()), frozenset(), {}, frozenset())
        return _carry_out(driver, jobs, start).done
    group = _carry_out(driver, jobs, _begin(driver, jobs))
    _commit(driver, group)
    return group.done


def run_what_is_free(
    connection: BaseDatabaseWrapper, jobs: Sequence[Job], machine: Machine
) -> list[Done | KeyHeldError]:
    """``run``, but pass over each job that needs what somebody else holds, a key or any row.

    Jobs that share a key with one before them that was passed over are so as well. Each job is a
    round trip of its own: for the time that something is held.
    """
    driver = driver_of(connection)
    start = _begin(driver, jobs, _AT_ONCE)
    group = _Carrying(driver, start)
    held = {(n, o.place) for n, o in _writes(jobs) if _lock_number(n, o.place) in start.busy}
    done = [_carry_out_unless_held(group, job, held) for job in jobs]
    _commit(driver, _Group(start.now_ms, [], group.keep))
    return done


def _carry_out_unless_held(group: "_Carrying", job: Job, held: set[Key]) -> Done | KeyHeldError:
    if held.isdisjoint(job.keys):
        try:
            return group.carry_out_apart(job)
        except psycopg.errors.LockNotAvailable:
            logger.debug("somebody holds a row that a job needs", exc_info=True)
    held |= job.keys
    return KeyHeldError()


class _Start(NamedTuple):
    """What the first round trip tells."""

    now_ms: int
    fences: Iterator[int]
    frozen: frozenset[str]
    kept: dict[Key, Kept]
    busy: frozenset[int]


class _Group(NamedTuple):
    """What the second round trip did."""

    now_ms: int
    done: list[Done]
    keep: dict[Key, Kept]


def _writes(jobs: Sequence[Job]) -> list[tuple[str, Operation]]:
    """The operations that write, each with its namespace."""
    return [(job.namespace, o) for job in jobs for o in job.operations if o.right == "write"]


def _begin(driver: Driver, jobs: Sequence[Job], timeout: str = _TAKE_TURNS) -> _Start:
    shards = sorted({job.shard for job in jobs})
    writes = _writes(jobs)
    request_ids = [(job.namespace, request_id) for job in jobs for request_id in job.asked_for]
    holders = sum(type(operation) is AcquireLock for _, operation in writes)
    with driver.pipeline():
        begin(driver)
        execute(driver, f"SET LOCAL lock_timeout = '{timeout}'")
        execute(driver, LOCK_SHARDS, ([_lock_number(_SHARDS, shard) for shard in shards],))
        numbers = ",".join(str(_lock_number(n, o.place)) for n, o in writes)
        locked = execute(driver, TRY_LOCK_KEYS if timeout == _AT_ONCE else LOCK_KEYS, (numbers,))
        known = execute(driver, SELECT_SHARDS, (shards,))
        kept = execute(driver, SELECT_KEPT, _texts(request_ids, 2))
        fences = execute(driver, NEXT_FENCES, (holders,))
        now = execute(driver, NOW)
    states = dict(known.fetchall())
    if missing := [shard for shard in shards if shard not in states]:
        execute(driver, INSERT_SHARDS, (missing,))
    return _Start(
        now.fetchall()[0][0],
        (number for (number,) in fences.fetchall()),
        frozenset(name for name, is_frozen in states.items() if is_frozen),
        {(row[0], row[1]): Kept(bytes(row[2]), row[3]) for row in kept.fetchall()},
        frozenset(key for (key,) in locked.fetchall()) if timeout == _AT_ONCE else frozenset(),
    )


class _Pending(NamedTuple):
    """An operation that was sent, and where its rows will be."""

    plan: Plan
    cursors: list[Cursor]

    def outcome(self) -> Outcome:
        return self.plan.answer([c.fetchall() if c.description else () for c in self.cursors])


class _Item(NamedTuple):
    """An operation, and where it comes from."""

    job: Job
    operation: Operation

    @property
    def key(self) -> Key | None:
        """What its answer is kept under."""
        request_id = kept_under(self.operation)
        return None if request_id is None else (self.job.namespace, request_id)


def _carry_out(driver: Driver, jobs: Sequence[Job], start: _Start) -> _Group:
    items = [_Item(job, operation) for job in jobs for operation in job.operations]
    group = _Carrying(driver, start)
    ordered = iter(group.carry_out(items))
    done = [Done([next(ordered) for _ in job.operations]) for job in jobs]
    return _Group(start.now_ms, done, group.keep)


def _slices(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    first = lists = 0
    for number, item in enumerate(items):
        lists += isinstance(item.operation, GetList)
        if number - first == _SLICE or lists > _LISTS_IN_SLICE:
            yield items[first:number]
            first, lists = number, int(isinstance(item.operation, GetList))
    if items:
        yield items[first:]


class _Carrying:
    """The operations of a group."""

    def __init__(self, driver: Driver, start: _Start) -> None:
        self.keep: dict[Key, Kept] = {}
        self._driver = driver
        self._start = start
        self._budget = Budget()
        self._list_page_max_chars = get_settings().list_page_max_chars

    def carry_out_apart(self, job: Job) -> Done:
        """Carry out a job.

        Raises:
            LockNotAvailable: somebody holds a row that it needs; nothing of it was done.
        """
        keep = dict(self.keep)
        execute(self._driver, "SAVEPOINT before_job")
        try:
            return Done(self.carry_out([_Item(job, operation) for operation in job.operations]))
        except psycopg.errors.LockNotAvailable:
            execute(self._driver, "ROLLBACK TO SAVEPOINT before_job")
            self.keep = keep
            raise

    def carry_out(self, items: Sequence[_Item]) -> list[Result]:
        """Carry out operations, slice by slice: each slice is one round trip."""
        results: list[Result] = []
        for some in _slices(items):
            results += self._carry_out_slice(some)
        return results

    def _carry_out_slice(self, items: Sequence[_Item]) -> list[Result]:
        under_way: set[Key] = set()
        with self._driver.pipeline():
            pendings = [self._send(item, under_way) for item in items]
        return [self._receive(*pair) for pair in zip(items, pendings, strict=True)]

    def _send(self, item: _Item, under_way: set[Key]) -> "_Pending | Result | None":
        """Send what carries out the operation; None: the same is under way in this slice."""
        job, operation = item
        if operation.right == "write" and job.shard in self._start.frozen:
            return FrozenError(job.shard)
        if self._budget.refuses(operation):
            return BusyError()
        if (key := item.key) is not None:
            kept = self._start.kept.get(key) or self.keep.get(key)
            if kept is not None:
                return kept.repeat(operation_digest(operation))
            if key in under_way:
                return None
            under_way.add(key)
        start = self._start
        context = Context(job.namespace, start.now_ms, start.fences, self._list_page_max_chars)
        planned = plan(operation, context)
        statements = planned.statements
        cursors = [execute(self._driver, s.postgresql, planned.parameters) for s in statements]
        return _Pending(planned, cursors)

    def _receive(self, item: _Item, pending: "_Pending | Result | None") -> Result:
        key = item.key
        if pending is None:
            first = self.keep.get(cast(Key, key))
            # it changed nothing the first time: to be asked for once more
            return BusyError() if first is None else first.repeat(operation_digest(item.operation))
        if not isinstance(pending, _Pending):
            return pending
        outcome = pending.outcome()
        self._budget.spend(outcome)
        if key is not None and is_worth_keeping(item.operation, outcome):
            self.keep[key] = Kept(operation_digest(item.operation), cast(str, outcome))
        return outcome


def _commit(driver: Driver, group: _Group) -> None:
    try:
        with driver.pipeline():
            if group.keep:
                rows = [
                    (*key, kept.operation_digest.hex(), kept.answer)
                    for key, kept in group.keep.items()
                ]
                expires_at_ms = group.now_ms + get_settings().answers_kept_ms
                execute(driver, KEEP, (expires_at_ms, *_texts(rows, 4)))
                execute(driver, FORGET, (group.now_ms, 2 * len(rows)))
            execute(driver, "COMMIT")
    except psycopg.errors.UniqueViolation as error:
        raise RequestIdTakenError from error
    except COMMIT_FAULTS as error:
        if is_broken(driver, error):
            raise CommitBrokenError from error
        raise


def _texts(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The columns of the rows, each as one text: psycopg writes that far faster than arrays.

    U+001E stands between; it occurs in no namespace, request id or digest, nor raw in JSON.
    """
    return ["\x1e".join(row[column] for row in rows) for column in range(width)]


@lru_cache(maxsize=8_192)
def _lock_number(namespace: str, place: str) -> int:
    """What a key is locked under; two that share one wait for each other and do no harm."""
    both = sha256(namespace.encode() + b"\x00" + digest(place)).digest()
    return int.from_bytes(both[:8], signed=True)
