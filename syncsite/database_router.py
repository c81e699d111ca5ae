"""Which alias an app's tables belong to."""

from collections.abc import Iterable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from chatstate.conf import get_settings

_OWN_DATABASE = frozenset({"livesync", "chatstate"})


def alias_of(app_label: str) -> str:
    """The alias that holds the app's tables: its own, or ``default``."""
    return app_label if app_label in _OWN_DATABASE else DEFAULT_DB_ALIAS


class DatabaseRouter:
    """Sends each app's queries and migrations to its alias.

    Aliases that share one database share its ``django_migrations`` table as well, and Django
    records a migration there even when a router kept all its tables from being made: a later run
    on the right alias would then find it done. So a migration is let through on *every* alias that
    leads to the app's database, and one run on any of them makes everything.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return alias_of(model._meta.app_label)

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return alias_of(model._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return any(same_database(db, alias) for alias in _aliases_of(app_label))


def _aliases_of(app_label: str) -> Iterable[str]:
    """Every alias that holds the app's tables; chatstate may have several shards."""
    shards = get_settings().shards.values() if app_label == "chatstate" else ()
    return {alias_of(app_label), *shards}


def same_database(alias: str, other: str) -> bool:
    """Whether two aliases lead to one database."""
    return _place(alias) == _place(other)


def _place(alias: str) -> tuple[str, ...]:
    config = connections[alias].settings_dict
    return tuple(str(config[key]) for key in ("ENGINE", "HOST", "PORT", "NAME"))
