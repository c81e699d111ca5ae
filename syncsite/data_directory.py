"""The data directory: database files, their markers, the secret key.

Beside each database file stands a marker, made once the database is ready. A marker without its
file means that the file was lost. A new empty one in its place would give every store a new backend
id, at which every client throws away its own copy, unsent events included. So a start is refused
until the file is back, or until the whole directory is deleted, which resets everything on purpose.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from syncsite.errors import StartRefusedError

_SQLITE_HEADER = b"SQLite format 3\x00"
_SECRET_KEY_BYTES = 48
_MARKER_TEXT = """\
This file says that a database stood beside it. While it is here, the server does not start without
that database. To start over with nothing, delete the whole directory.
"""


def read_secret_key(directory: Path) -> str:
    """The directory's secret key; a new one, not yet kept, when it has none."""
    try:
        return _secret_key_file(directory).read_text()
    except FileNotFoundError:
        return secrets.token_urlsafe(_SECRET_KEY_BYTES)


@contextmanager
def prepared(
    directory: Path, databases: Sequence[Path], *, secret_key: str | None
) -> Iterator[None]:
    """Make the directory, then hold it while the caller makes the databases' tables.

    Files made here and later by this process are readable by its user only. One process at a time
    is inside; the markers are set when the caller is through. With no file to keep, nothing is
    made.

    Args:
        directory: made if it is missing.
        databases: the SQLite files that belong into it; made, empty, when they never existed.
        secret_key: kept for the next start, unless the directory has one; None keeps none.

    Raises:
        StartRefusedError: a database is lost or damaged, or the directory cannot be written.
    """
    os.umask(0o077)
    if not databases and secret_key is None:
        yield
        return
    with _refusing(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(directory)
    with _lock(directory):
        with _refusing(directory):
            _make_files(directory, databases, secret_key)
        yield
        with _refusing(directory):
            for file in databases:
                _marker(file).write_text(_MARKER_TEXT)


@contextmanager
def _refusing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartRefusedError(
            f"the data directory {directory} cannot be used: {error}"
        ) from error


def _close_to_others(directory: Path) -> None:
    status = directory.stat()
    if status.st_uid == os.geteuid() and status.st_mode & 0o077:
        directory.chmod(0o700)


def _make_files(directory: Path, databases: Sequence[Path], secret_key: str | None) -> None:
    for file in databases:
        _refuse_if_lost(file)
    for file in databases:
        file.touch(mode=0o600)
    if secret_key is not None and not _secret_key_file(directory).exists():
        _secret_key_file(directory).touch(mode=0o600)
        _secret_key_file(directory).write_text(secret_key)


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_if_lost(file: Path) -> None:
    if not _marker(file).exists():
        return
    damage = _damage(file)
    if damage:
        raise StartRefusedError(
            f"the database {file} {damage}, but its marker {_marker(file).name} says that it was "
            "in use. A new empty one would get new backend ids, and clients would throw away what "
            f"they have not pushed. Put the file back, or delete the whole directory {file.parent} "
            "to start over with nothing."
        )


def _damage(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            header = opened.read(len(_SQLITE_HEADER))
    except FileNotFoundError:
        return "is gone"
    if not header:
        return "is empty"
    return "" if header == _SQLITE_HEADER else "is not an SQLite database"


def _marker(file: Path) -> Path:
    return file.with_name(f"{file.name}.marker")


def _secret_key_file(directory: Path) -> Path:
    return directory / "secret_key"
