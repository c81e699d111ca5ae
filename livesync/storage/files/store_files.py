"""The files of stores, by the ids of these; what fails there is told as engines owe it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groundwork.connections import DatabaseUnavailableError
from groundwork.durable_files import make_file, remove_file
from livesync.protocol.errors import StoreHeldError
from livesync.storage.faults import note, unavailable
from livesync.storage.files.layout import Layout
from livesync.storage.files.open_files import OpenFiles
from livesync.storage.files.store_file import StoreFile
from livesync.storage.places import StoreElsewhereError

_BUSY_MS = 5_000


class StoreFileMissingError(StoreElsewhereError):
    """There is no file of this store."""


class StoreFiles:
    """Makes, opens and removes the files of stores.

    Args:
        directory: of the files; made when the first one is.
        max_open: most connections to files.

    Raises (each method):
        StorageUnavailableError: the file cannot be made, opened or used.
    """

    def __init__(self, directory: Path, *, max_open: int) -> None:
        self.layout = Layout(directory)
        self.open_files = OpenFiles(self.layout, max_open)

    @contextmanager
    def lend(self, store_id: str, *, busy_ms: int | None = None) -> Iterator[StoreFile]:
        """The file of a store, open.

        Args:
            store_id: the store.
            busy_ms: how long to wait where somebody else is writing; 5 s unless told.

        Raises:
            StoreFileMissingError: there is none.
            StoreHeldError: somebody else was writing all the time.
        """
        with telling_faults():
            file = self._take(store_id)
            try:
                file.wait_for_lock(_BUSY_MS if busy_ms is None else busy_ms)
                yield file
            except BaseException:
                self.open_files.give_up(file)
                raise
            self.open_files.give_back(file)

    def make(self, store_id: str, content: bytes) -> None:
        """Make the file of a store, unless there is one; on disk when this returns."""
        path = self.layout.file(store_id)
        with telling_faults():
            if not path.exists():
                make_file(path, content)

    def place(self, store_id: str, content: bytes) -> None:
        """``make`` for a file of which it is known that it is not there."""
        with telling_faults():
            make_file(self.layout.file(store_id), content)

    def close(self, store_id: str) -> None:
        """Close the connections to a file that nobody is using."""
        self.open_files.close(store_id)

    def remove(self, store_id: str) -> None:
        """Delete the file of a store that does not live here, if there is one."""
        self.close(store_id)
        with telling_faults():
            remove_file(self.layout.file(store_id))

    def _take(self, store_id: str) -> StoreFile:
        try:
            return self.open_files.take(store_id)
        except FileNotFoundError as error:
            raise StoreFileMissingError from error


@contextmanager
def telling_faults() -> Iterator[None]:
    """Turn what the disk and SQLite raise into the errors that engines owe."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError):
        raise  # bugs
    except sqlite3.Error as error:
        note(error)
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            raise StoreHeldError from error
        raise unavailable(error) from error
    except (OSError, DatabaseUnavailableError) as error:
        raise unavailable(error) from error
