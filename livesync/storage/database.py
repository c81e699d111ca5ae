"""The ``database`` engine: central tables, on SQLite or PostgreSQL.

The row of a store is its lock. A commit locks the rows of all stores concerned in one order,
decides, writes, and commits; a reader takes a snapshot and no lock.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from groundwork.connections import (
    DatabaseUnavailableError,
    RowLockedError,
    close_quietly,
    with_connection,
)
from groundwork.sqlite_files import check_file
from livesync.protocol.errors import CommitUnknownError, StoreHeldError
from livesync.storage import adoption, browsing, postgresql, resets, sqlite
from livesync.storage.engine import (
    Append,
    Heading,
    LoggedEvent,
    Outcome,
    Reset,
    Slice,
    StoreDetails,
    StoreState,
    TimedEvent,
)
from livesync.storage.faults import note, unavailable
from livesync.storage.plan import Plan, make_plan
from livesync.storage.settling import commit_settled
from livesync.storage.timestamps import iso_text

T = TypeVar("T")

_SETTLE_FOR_S = 10.0
_SETTLE_EVERY_S = 0.2
_STATEMENTS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}


class DatabaseEngine:
    """Implements ``livesync.storage.engine.Engine`` on the tables of ``livesync.models``."""

    def __init__(self, alias: str = "livesync") -> None:
        self.alias = alias
        self._held: frozenset[str] = frozenset()

    def commit(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        try:
            return commit_settled(self.alias, appends, self._commit_what_is_free, self._is_stored)
        except DatabaseUnavailableError as error:
            raise unavailable(error) from error

    def read(self, store_id: str, after: int, *, max_events: int, max_bytes: int) -> Slice | None:
        found: Slice | None = self._query("read", store_id, after, max_events, max_bytes)
        return found

    def states(self, store_ids: Sequence[str]) -> dict[str, StoreState]:
        found: dict[str, StoreState] = self._query("states", store_ids)
        return found

    def store_ids(self, *, after: str, max_stores: int) -> Sequence[str]:
        return self._with_alias(browsing.store_ids, after, max_stores)

    def inspect(self, store_id: str) -> StoreDetails | None:
        return self._with_alias(browsing.inspect, store_id)

    def headings(
        self, store: StoreDetails, *, start: int, newest_first: bool, max_events: int
    ) -> Sequence[Heading]:
        return self._with_alias(browsing.headings, store, start, newest_first, max_events)

    def events(
        self, store: StoreDetails, seq_nums: Sequence[int], *, max_args_chars: int
    ) -> Sequence[LoggedEvent]:
        return self._with_alias(browsing.events, store, seq_nums, max_args_chars)

    def lost_events(self, store: StoreDetails) -> int:
        return self._with_alias(resets.lost_events, store)

    def reset(self, store_id: str) -> Reset:
        return resets.reset(self.alias, store_id)

    def begin_adoption(
        self, store_id: str, backend_id: str, *, replace_empty: bool = False
    ) -> StoreState:
        return adoption.begin(self.alias, store_id, backend_id, replace_empty=replace_empty)

    def adopt(self, store_id: str, backend_id: str, events: Sequence[TimedEvent]) -> StoreState:
        return adoption.adopt(self.alias, store_id, backend_id, events)

    def end_adoption(self, store_id: str, backend_id: str) -> StoreState:
        return adoption.end(self.alias, store_id, backend_id)

    def drop_adoption(self, store_id: str) -> None:
        adoption.drop(self.alias, store_id)

    def ended_events(self, store: StoreDetails) -> int:
        return self._with_alias(resets.ended_events, store)

    def has_ended_events(self) -> bool:
        return self._with_alias(resets.has_ended_events)

    def purge(self, *, max_events: int) -> int:
        return self._with_alias(resets.purge, max_events)

    def _query(self, name: str, *args: Any) -> Any:
        def run(connection: BaseDatabaseWrapper) -> Any:
            found = getattr(_statements(connection), name)(connection, *args)
            check_file(connection)
            return found

        try:
            return with_connection(self.alias, run)
        except DatabaseUnavailableError as error:
            raise unavailable(error) from error

    def _with_alias(self, work: Callable[..., T], *args: Any) -> T:
        def run(connection: BaseDatabaseWrapper) -> T:
            found = work(self.alias, *args)
            check_file(connection)
            return found

        try:
            return with_connection(self.alias, run)
        except DatabaseUnavailableError as error:
            raise unavailable(error) from error

    def _commit_what_is_free(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        store_ids = frozenset(append.store_id for append in appends)
        if self._held.isdisjoint(store_ids):
            try:
                return with_connection(self.alias, lambda c: _store(c, appends, "lock_stores"))
            except RowLockedError as error:
                note(error)
        # a store that was held for long once is waited for no more, until it was found free
        outcomes = with_connection(self.alias, lambda c: _store(c, appends, "lock_free_stores"))
        held = (a.store_id for a, o in zip(appends, outcomes, strict=True) if _is_held(o))
        self._held = self._held - store_ids | frozenset(held)
        return outcomes

    def _is_stored(self, plan: Plan) -> bool:
        """Ask a new connection for the outcome of a commit, for as long as a caller may wait."""
        give_up_at = time.monotonic() + _SETTLE_FOR_S
        while True:
            close_quietly(connections[self.alias])
            try:
                return with_connection(self.alias, lambda connection: _holds(connection, plan))
            except DatabaseUnavailableError as error:
                if time.monotonic() > give_up_at:
                    raise CommitUnknownError("the outcome of a commit is unknown") from error
            time.sleep(_SETTLE_EVERY_S)


def _is_held(outcome: Outcome) -> bool:
    return isinstance(outcome, StoreHeldError)


def _store(
    connection: BaseDatabaseWrapper, appends: Sequence[Append], lock: str
) -> Sequence[Outcome]:
    statements = _statements(connection)
    now = datetime.now(UTC)
    try:
        # one order of locking for everyone: two writers that meet cannot deadlock
        store_ids = sorted({append.store_id for append in appends})
        stores = getattr(statements, lock)(connection, store_ids, now)
        plan = make_plan(appends, stores, created_at=iso_text(now))
        statements.write_and_commit(connection, plan, now)
    except BaseException:
        # closing is a rollback that also works on a connection in an unknown state
        close_quietly(connection)
        raise
    return plan.outcomes


def _holds(connection: BaseDatabaseWrapper, plan: Plan) -> bool:
    if not plan.rows:
        return False  # nothing but new stores was at stake: making them again is harmless
    statements = _statements(connection)
    try:
        # the lock waits for the broken connection's transaction, should it still be alive
        statements.lock_stores(connection, plan.store_ids, datetime.now(UTC))
        held: bool = statements.holds(connection, plan)
    finally:
        close_quietly(connection)
    return held


def _statements(connection: BaseDatabaseWrapper) -> Any:
    return _STATEMENTS[connection.vendor]
