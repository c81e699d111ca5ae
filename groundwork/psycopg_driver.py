"""PostgreSQL through the driver's own connection, for the statements that every request takes."""

from typing import Any, TypeAlias, cast

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

from groundwork.connections import is_session_over

Driver: TypeAlias = "psycopg.Connection[Any]"
Cursor: TypeAlias = "psycopg.Cursor[Any]"

COMMIT_FAULTS = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)
"""What a COMMIT may raise although it was carried out; ``is_broken`` tells."""


def driver_of(connection: BaseDatabaseWrapper) -> Driver:
    """The driver's connection behind Django's, which must be open."""
    return cast(Driver, connection.connection)


def execute(driver: Driver, statement: str, parameters: Any = ()) -> Cursor:
    """Send one statement; within ``driver.pipeline()`` without waiting for its answer."""
    # Django's own cursors put the parameters into the text, which then has to be parsed each time
    return psycopg.Cursor(driver).execute(statement.encode(), parameters)


def begin(driver: Driver) -> None:
    """Open a transaction."""
    # as the statements were written for, whatever the server's default is
    execute(driver, "BEGIN ISOLATION LEVEL READ COMMITTED")
    # if this process vanishes without a word, its locks do not outlive it for long
    execute(driver, "SET LOCAL idle_in_transaction_session_timeout = '10s'")


def is_broken(driver: Driver, error: Exception) -> bool:
    """Whether an error is the connection's end, so that nobody knows what became of a COMMIT."""
    return driver.closed or is_session_over(error)
