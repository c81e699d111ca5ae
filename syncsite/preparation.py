"""Get the databases ready to be served: files, migrations, the first admin."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from syncsite.data_directory import prepared
from syncsite.database_router import same_database
from syncsite.databases import sqlite_file
from syncsite.durability import refuse_lossy_commits
from syncsite.errors import StartRefusedError
from syncsite.first_admin import FirstAdmin, make_first_admin

# any number that no other program on the same database takes: "syncsite" in ASCII
_ADVISORY_LOCK = 0x73796E6373697465


def prepare() -> FirstAdmin | None:
    """Make what is missing: data directory, tables, and the first admin on the first start.

    Safe to run in several processes and on several machines at once.

    Returns:
        The admin made now, with the password that is kept nowhere else; None on later starts.

    Raises:
        StartRefusedError: a database was lost, cannot be reached or cannot be written.
    """
    with held():
        try:
            refuse_lossy_commits()
            for alias in separate_aliases():
                if _is_behind(alias):
                    call_command(migrate.Command(), database=alias, interactive=False, verbosity=0)
            return make_first_admin()
        except DatabaseError as error:
            raise StartRefusedError(f"the database cannot be used: {error}") from error


@contextmanager
def held() -> Iterator[None]:
    """Hold the data directory and the database, so that one process at a time prepares them.

    Raises:
        StartRefusedError: as ``prepare``.
    """
    secret_key = settings.SECRET_KEY if settings.DEBUG else None
    with prepared(settings.SYNCSITE_DATA, sqlite_files(), secret_key=secret_key), _advisory_lock():
        yield


def separate_aliases() -> list[str]:
    """The aliases without those that lead to the same database as one before them."""
    separate: list[str] = []
    for alias in sorted(connections, key=lambda alias: alias != DEFAULT_DB_ALIAS):
        if not any(same_database(alias, other) for other in separate):
            separate.append(alias)
    return separate


def sqlite_files() -> list[Path]:
    """The files in the data directory behind the aliases; none on PostgreSQL."""
    files = (sqlite_file(str(connections[alias].settings_dict["NAME"])) for alias in connections)
    return [file for file in files if file is not None]


def _is_behind(alias: str) -> bool:
    # `migrate` takes half a second to find that there is nothing to do; a restart should not
    on_disk = set(MigrationLoader(None).disk_migrations)
    return not on_disk <= set(MigrationRecorder(connections[alias]).applied_migrations())


@contextmanager
def _advisory_lock() -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
    except DatabaseError as error:
        raise StartRefusedError(f"the database cannot be used: {error}") from error
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])
