"""One database of shards: carries out jobs, on SQLite or PostgreSQL."""

import logging
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from chatstate.protocol.errors import KeyHeldError, UnavailableError
from chatstate.protocol.operations import Operation
from chatstate.storage import postgresql, sqlite
from chatstate.storage.clock import Machine
from chatstate.storage.errors import CommitBrokenError, RequestIdTakenError
from chatstate.storage.jobs import Done, Job, Key, Result
from chatstate.storage.quick_reads import QuickReads, is_possible
from groundwork.connections import (
    DatabaseUnavailableError,
    RowLockedError,
    close_quietly,
    with_connection,
)
from groundwork.fault_log import FaultLog

logger = logging.getLogger(__name__)

_MAX_COMMITS = 3
_STATEMENTS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}


class ShardDatabase:
    """Carries out jobs in the database behind one alias.

    Args:
        alias: of the database, among Django's.
        machine: tells the time to SQLite; a seam for tests.
    """

    def __init__(self, alias: str, machine: Machine | None = None) -> None:
        self.alias = alias
        self._machine = machine or Machine()
        self._quick_reads = QuickReads(alias, self._machine) if is_possible(alias) else None
        self._faults = FaultLog(logger, f"the database {alias} is unavailable")
        self._held: set[Key] = set()

    def read_at_once(
        self, namespace: str, operations: Sequence[Operation]
    ) -> Sequence[Result] | None:
        """What is committed, where it can be read without waiting; else None. See ``QuickReads``.

        For one who has nothing under way that is to be seen: what a job has not committed yet is
        not there.
        """
        if self._quick_reads is None:
            return None
        return self._quick_reads.read(namespace, operations)

    def close(self) -> None:
        """Let go of what ``read_at_once`` has open; connections are their threads'."""
        if self._quick_reads is not None:
            self._quick_reads.close()

    def commit(self, jobs: Sequence[Job]) -> Sequence[Done | KeyHeldError]:
        """Carry out all jobs in one transaction; returns when they are stored.

        A job about something that somebody else holds gets a ``KeyHeldError`` soon, and with it
        those after it that share a key with it; the others need not wait.

        Raises:
            UnavailableError: the database does not answer. Whether anything is stored is unknown.
        """
        try:
            return self._commit(jobs)
        except DatabaseUnavailableError as error:
            raise self._unavailable(error) from error

    def _commit(self, jobs: Sequence[Job]) -> Sequence[Done | KeyHeldError]:
        for last_try in (False,) * (_MAX_COMMITS - 1) + (True,):
            try:
                return self._commit_what_is_free(jobs)
            except CommitBrokenError as error:
                logger.warning("%s: %s", self.alias, error)
                is_safe = not error.leaves_doubt or all(job.is_repeatable for job in jobs)
                if last_try or not is_safe:
                    raise self._unavailable(error) from error
            except RequestIdTakenError as error:
                if last_try:
                    raise self._unavailable(error) from error
            jobs = [job._replace(is_new=False) for job in jobs]  # they may be stored by now
        raise AssertionError("the last try returns or raises")

    def _commit_what_is_free(self, jobs: Sequence[Job]) -> Sequence[Done | KeyHeldError]:
        if not self._held or self._held.isdisjoint(_keys(jobs)):
            try:
                return with_connection(self.alias, lambda c: self._run(c, jobs, "run"))
            except RowLockedError as error:
                self._faults.add(error)
        # what was held for long once is waited for no more, until it was found free
        done = self._run_what_is_free(jobs)
        held = [job for job, each in zip(jobs, done, strict=True) if isinstance(each, KeyHeldError)]
        self._held = self._held - _keys(jobs) | _keys(held)
        return done

    def _run_what_is_free(self, jobs: Sequence[Job]) -> Sequence[Done | KeyHeldError]:
        try:
            return with_connection(self.alias, lambda c: self._run(c, jobs, "run_what_is_free"))
        except RowLockedError as error:  # a whole shard, for instance
            self._faults.add(error)
            return [KeyHeldError() for _ in jobs]

    def _run(self, connection: BaseDatabaseWrapper, jobs: Sequence[Job], run: str) -> Any:
        try:
            done = getattr(_STATEMENTS[connection.vendor], run)(connection, jobs, self._machine)
        except BaseException:
            # closing is a rollback that also works on a connection in an unknown state
            close_quietly(connection)
            raise
        return done

    def _unavailable(self, cause: Exception) -> UnavailableError:
        self._faults.add(cause)
        return UnavailableError()


def _keys(jobs: Sequence[Job]) -> set[Key]:
    return {key for job in jobs for key in job.keys}
