"""Is the file that an SQLite connection has open still the one that its name leads to?

A file that is removed or replaced lives on, nameless, for those who have it open: they go on
reading and writing, and all of it is gone when they close it.
"""

import logging
import os
import threading
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.db.backends.base.base import BaseDatabaseWrapper

from groundwork.connections import DatabaseUnavailableError

logger = logging.getLogger(__name__)

_Place = tuple[int, int] | None
"""Device and inode of a file; None where there is none."""


class FileLostError(DatabaseUnavailableError):
    """The connection's file has been removed or replaced; only a new connection is of use."""


class OpenedFile(NamedTuple):
    """The file and the log that a connection has open, as they were when it first read."""

    driver: Any
    path: str
    places: tuple[_Place, _Place]

    def is_named(self) -> bool:
        """Whether the file's name still leads to it; says nothing of the log."""
        return not self.path or _place(self.path) == self.places[0]

    def is_there(self) -> bool:
        """Whether the names of the file and its log still lead to them."""
        return not self.path or _places(self.path) == self.places

    def check(self) -> None:
        """Refuse to go on with a file that is another one by now; see ``check_file``.

        Raises:
            FileLostError: the file was removed or replaced.
        """
        if not self.is_there():
            _tell(self)
            raise FileLostError(f"{Path(self.path).name} was removed or replaced")


_opened: WeakKeyDictionary[BaseDatabaseWrapper, OpenedFile] = WeakKeyDictionary()
_lost: set[tuple[str, tuple[_Place, _Place]]] = set()
_lock = threading.Lock()


def check_file(connection: BaseDatabaseWrapper) -> None:
    """Refuse a connection whose file, or the write-ahead log beside it, is another one by now.

    To be called from the connection's thread once it has read anything, as the log is opened by
    then; before each COMMIT and after each read. The first call of a connection takes note of its
    files. In memory, and on another database, there is nothing to lose.

    Raises:
        FileLostError: the file was removed or replaced. The caller closes the connection.
    """
    if connection.vendor != "sqlite":
        return
    opened = _opened.get(connection)
    if opened is None or opened.driver is not connection.connection:
        _opened[connection] = opened_file(connection.connection)
    else:
        opened.check()


def opened_file(driver: Any) -> OpenedFile:
    """Take note of the files of a driver's connection, which has read something."""
    path = _path(driver)
    return OpenedFile(driver, path, _places(path))


def _path(driver: Any) -> str:
    _, _, path = driver.execute("PRAGMA database_list").fetchall()[0]
    return str(path)


def _places(path: str) -> tuple[_Place, _Place]:
    return (_place(path), _place(f"{path}-wal"))


def _place(path: str) -> _Place:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino)


def _tell(opened: OpenedFile) -> None:
    with _lock:
        if opened[1:] in _lost:
            return  # each thread has a connection of its own that finds out
        _lost.add(opened[1:])
    logger.critical(
        "%s or its log was removed or replaced while in use. What was stored since then is lost;"
        " stop the server, put the file back, start again.",
        opened.path,
    )
