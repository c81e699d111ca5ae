"""One database of shards: carries out jobs, on SQLite or PostgreSQL."""

import logging
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from chatstate.protocol.errors import UnavailableError
from chatstate.storage import postgresql, sqlite
from chatstate.storage.clock import Machine
from chatstate.storage.errors import CommitBrokenError
from chatstate.storage.jobs import Done, Job
from groundwork.connections import DatabaseUnavailableError, close_quietly, with_connection
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
        self._faults = FaultLog(logger, f"the database {alias} is unavailable")

    def commit(self, jobs: Sequence[Job]) -> list[Done]:
        """Carry out all jobs in one transaction; returns when they are stored.

        Raises:
            UnavailableError: the database does not answer. Whether anything is stored is unknown.
        """
        try:
            return self._commit(jobs)
        except DatabaseUnavailableError as error:
            raise self._unavailable(error) from error

    def _commit(self, jobs: Sequence[Job]) -> list[Done]:
        for last_try in (False,) * (_MAX_COMMITS - 1) + (True,):
            try:
                return with_connection(self.alias, lambda c: self._run(c, jobs))
            except CommitBrokenError as error:
                logger.warning("%s: %s", self.alias, error)
                is_safe = not error.leaves_doubt or all(job.is_repeatable for job in jobs)
                if last_try or not is_safe:
                    raise self._unavailable(error) from error
        raise AssertionError("the last try returns or raises")

    def _run(self, connection: BaseDatabaseWrapper, jobs: Sequence[Job]) -> list[Done]:
        statements: Any = _STATEMENTS[connection.vendor]
        try:
            done: list[Done] = statements.run(connection, jobs, self._machine)
        except BaseException:
            # closing is a rollback that also works on a connection in an unknown state
            close_quietly(connection)
            raise
        return done

    def _unavailable(self, cause: Exception) -> UnavailableError:
        self._faults.add(cause)
        return UnavailableError()
