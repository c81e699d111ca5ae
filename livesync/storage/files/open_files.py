"""The files that are open: no more than a bound, those used last."""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from livesync.storage.files.store_file import StoreFile


class OpenFiles:
    """Lends connections to threads, one thread at a time each, and keeps them for the next.

    Args:
        max_open: most connections, each of which takes three file handles. Lent ones are counted
            but never closed, so there may be more if more threads than that are at work.
    """

    def __init__(self, max_open: int) -> None:
        self._max_open = max_open
        self._lock = threading.Lock()
        self._idle: OrderedDict[StoreFile, None] = OrderedDict()  # the one used last at the end
        self._idle_by_path: defaultdict[Path, list[StoreFile]] = defaultdict(list)
        self._lent = 0

    @property
    def count(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._idle) + self._lent

    @contextmanager
    def lend(self, path: Path, store_id: str, *, busy_ms: int) -> Iterator[StoreFile]:
        """An open connection; closed if the block raises, as nobody knows its state then.

        Raises:
            FileNotFoundError: there is no such file.
            sqlite3.DatabaseError: it cannot be opened, or is no file of this store.
        """
        file = self._take(path)
        try:
            if file is None:
                path.stat()  # SQLite has one error for all that keeps it from opening a file
                file = StoreFile(path, store_id)
            file.wait_for_lock(busy_ms)
            yield file
        except BaseException:
            self._give_up(file)
            raise
        self._give_back(file)

    def close(self, path: Path) -> None:
        """Close the connections to a file that nobody is using."""
        with self._lock:
            files = self._idle_by_path.pop(path, [])
            for file in files:
                del self._idle[file]
        for file in files:
            file.close()

    def close_all(self) -> None:
        """Close the connections that nobody is using."""
        for path in list(self._idle_by_path):
            self.close(path)

    def _take(self, path: Path) -> StoreFile | None:
        with self._lock:
            self._lent += 1
            known = self._idle_by_path.get(path)
            file = self._forget(known[-1]) if known else None
            surplus = self._surplus()
        for other in surplus:
            other.close()
        if file is not None and not file.is_there():
            # the store was moved away and back: this is a file without a name by now
            file.close()
            return None
        return file

    def _give_back(self, file: StoreFile) -> None:
        with self._lock:
            self._lent -= 1
            self._idle[file] = None
            self._idle_by_path[file.path].append(file)
            surplus = self._surplus()
        for other in surplus:
            other.close()

    def _give_up(self, file: StoreFile | None) -> None:
        with self._lock:
            self._lent -= 1
        if file is not None:
            file.close()

    def _surplus(self) -> list[StoreFile]:
        count = max(0, len(self._idle) + self._lent - self._max_open)
        return [self._forget(file) for file in list(self._idle)[:count]] if count else []

    def _forget(self, file: StoreFile) -> StoreFile:
        del self._idle[file]
        known = self._idle_by_path[file.path]
        known.remove(file)
        if not known:
            del self._idle_by_path[file.path]
        return file
