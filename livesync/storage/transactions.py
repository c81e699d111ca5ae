"""A transaction on the central tables, for what is not on the way of an event."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from groundwork.connections import DatabaseUnavailableError, close_quietly
from groundwork.sqlite_files import check_file
from livesync.storage.faults import unavailable

_LOCK_TIMEOUT = "5s"


@contextmanager
def durable_transaction(alias: str) -> Iterator[BaseDatabaseWrapper]:
    """A transaction of its own on this thread's connection, which waits 5 s for a lock at most.

    Raises:
        StorageUnavailableError: the database is out of reach. Not tried again: if the COMMIT was
            what failed, it may have been carried out.
    """
    connection = connections[alias]
    try:
        with transaction.atomic(alias, durable=True):
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
            yield connection
            check_file(connection)
    except (OperationalError, InterfaceError, DatabaseUnavailableError) as error:
        close_quietly(connection)
        raise unavailable(error) from error
