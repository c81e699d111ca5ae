"""The three database aliases: three SQLite files, or one PostgreSQL for all of them.

Users and sessions have a database apart from the apps', so that nothing done to them (an admin
view, a caller's ``atomic()``) can hold up a writer. On PostgreSQL, whose locks are rows, one does.
"""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

ALIASES = ("default", "livesync", "chatstate")
BUSY_TIMEOUT_S = 5
CONNECT_TIMEOUT_S = 5

# a link that goes silent (a host lost its power, a firewall forgot it) is given up after about 20 s
# when idle and 10 s when it is being used, instead of the system's two hours and quarter of an hour
_SILENT_LINK = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}

# mode=rw: SQLite would otherwise make a missing file anew, and a fresh database means fresh backend
# ids, at which clients throw away what they have; only syncsite.data_directory makes the files
_OPEN_EXISTING = "mode=rw"


def databases(url: str, data_directory: Path) -> dict[str, dict[str, Any]]:
    """Django's DATABASES.

    Args:
        url: of a PostgreSQL database, which then serves every alias; "" for SQLite.
        data_directory: where the SQLite files are.

    Raises:
        ImproperlyConfigured: the URL is not one of PostgreSQL.
    """
    if url:
        return {alias: _postgresql(url) for alias in ALIASES}
    return {alias: _sqlite(data_directory / f"{alias}.sqlite3") for alias in ALIASES}


def sqlite_file(name: str) -> Path | None:
    """The file behind a NAME that ``databases`` made; None for any other NAME."""
    parts = urlsplit(name)
    if parts.scheme != "file" or parts.query != _OPEN_EXISTING:
        return None
    return Path(unquote(parts.path))


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{path.absolute().as_uri()}?{_OPEN_EXISTING}",
        "OPTIONS": {
            # FULL: an acknowledged push survives a power cut; NORMAL may lose the last commits
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
            # a transaction that reads first and then wants to write fails at once when another
            # wrote in between; IMMEDIATE waits for its turn instead
            "transaction_mode": "IMMEDIATE",
            "timeout": BUSY_TIMEOUT_S,
        },
    }


def _postgresql(url: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = {**dj_database_url.parse(url)}
    except ValueError as error:
        # the URL itself stays out of the message: it may hold a password
        raise ImproperlyConfigured("DATABASE_URL is not a database URL") from error
    if config["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must be a postgresql:// URL; without it: SQLite")
    options = {"connect_timeout": CONNECT_TIMEOUT_S, "prepare_threshold": 2, **_SILENT_LINK}
    return config | {"OPTIONS": options | config.get("OPTIONS", {})}
