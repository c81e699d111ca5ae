"""Whether a database has the tables that this code was written for."""

import pkgutil
from collections.abc import Iterable
from functools import cache

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from django.db.migrations.recorder import MigrationRecorder

from chatstate import migrations
from chatstate.protocol.errors import UnavailableError
from groundwork.connections import close_quietly

_APP = "chatstate"


def check_schema(aliases: Iterable[str]) -> None:
    """Check that the database behind each alias answers and is migrated.

    Raises:
        UnavailableError: one does not answer.
        ImproperlyConfigured: one lacks migrations.
    """
    for alias in aliases:
        if missing := sorted(_wanted() - _applied(alias)):
            raise ImproperlyConfigured(
                f"The database {alias!r} lacks migrations of chatstate ({', '.join(missing)})."
                f" Run: manage.py migrate --database {alias}"
            )


@cache
def _wanted() -> frozenset[str]:
    modules = pkgutil.iter_modules(migrations.__path__)
    return frozenset(module.name for module in modules)


def _applied(alias: str) -> frozenset[str]:
    connection = connections[alias]
    try:
        applied = MigrationRecorder(connection).applied_migrations()
    except DatabaseError as error:
        close_quietly(connection)
        raise UnavailableError from error
    return frozenset(name for app, name in applied if app == _APP)
