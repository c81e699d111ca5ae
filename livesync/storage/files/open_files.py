"""The files that are open: no more than a bound, those used last."""

import os
import sqlite3
import threading
from collections import OrderedDict, defaultdict
from pathlib import Path

from livesync.storage.files.layout import Layout
from livesync.storage.files.store_file import StoreFile


class OpenFiles:
    """Lends connections to threads, one thread at a time each, and keeps them for the next.

    What was taken is given back, or given up by who has met an error, as nobody knows its state
    then.

    Args:
        layout: where the files are.
        max_open: most connections, each of which takes three file handles. Lent ones are counted
            but never closed, so there may be more if more threads than that are at work.
    """

    def __init__(self, layout: Layout, max_open: int) -> None:
        self._layout = layout
        self._max_open = max_open
        self._lock = threading.Lock()
        self._idle: OrderedDict[StoreFile, None] = OrderedDict()  # the one used last at the end
        self._idle_by_store: defaultdict[str, list[StoreFile]] = defaultdict(list)
        self._lent = 0

    @property
    def count(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._idle) + self._lent

    def take(self, store_id: str) -> StoreFile:
        """An open connection to the file of a store.

        Raises:
            FileNotFoundError: there is no such file.
            sqlite3.DatabaseError: it cannot be opened, or is no file of this store.
        """
        file = self._take_idle(store_id)
        if file is not None and file.is_named():
            return file
        try:
            if file is not None:
                file.close()  # the store was moved away and back: this one has no name by now
            return self._open(store_id)
        except BaseException:
            with self._lock:
                self._lent -= 1
            raise

    def give_back(self, file: StoreFile) -> None:
        """Keep a connection that was taken, for whoever is next."""
        with self._lock:
            self._lent -= 1
            self._idle[file] = None
            self._idle_by_store[file.store_id].append(file)
            surplus = self._surplus()
        for other in surplus:
            other.close()

    def give_up(self, file: StoreFile) -> None:
        """Close a connection that was taken."""
        with self._lock:
            self._lent -= 1
        file.close()

    def close(self, store_id: str) -> None:
        """Close the connections to a file that nobody is using."""
        with self._lock:
            files = self._idle_by_store.pop(store_id, [])
            for file in files:
                del self._idle[file]
        for file in files:
            file.close()

    def close_all(self) -> None:
        """Close the connections that nobody is using."""
        for store_id in list(self._idle_by_store):
            self.close(store_id)

    def _take_idle(self, store_id: str) -> StoreFile | None:
        with self._lock:
            self._lent += 1
            known = self._idle_by_store.get(store_id)
            file = self._forget(known[-1]) if known else None
            surplus = self._surplus()
        for other in surplus:
            other.close()
        return file

    def _open(self, store_id: str) -> StoreFile:
        path = self._layout.file(store_id)
        found = path.stat()  # SQLite has one error for all that keeps it from opening a file
        try:
            file = StoreFile(path, store_id)
        except sqlite3.OperationalError:
            _require_same(path, found)  # to SQLite, what is moved away at this moment is broken
            raise
        try:
            _require_same(path, found)
        except FileNotFoundError:
            file.close()  # it has the file that had this name before
            raise
        return file

    def _surplus(self) -> list[StoreFile]:
        count = len(self._idle) + self._lent - self._max_open
        return [self._forget(file) for file in list(self._idle)[:count]] if count > 0 else []

    def _forget(self, file: StoreFile) -> StoreFile:
        del self._idle[file]
        known = self._idle_by_store[file.store_id]
        known.remove(file)
        if not known:
            del self._idle_by_store[file.store_id]
        return file


def _require_same(path: Path, found: os.stat_result) -> None:
    if not os.path.samestat(found, path.stat()):
        raise FileNotFoundError(f"{path.name} is another file by now")
