"""The file of one store, open: the connection, its transactions, and where the store stands.

The write lock of the file is the lock of the store. Nothing here or in the modules beside leaves a
transaction open, unless it raises: then the connection is of no more use.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from groundwork.sqlite_files import opened_file
from livesync.storage.engine import StoreState
from livesync.storage.files import schema
from livesync.storage.files.layout import ended_table, eventlog_table
from livesync.storage.places import StoreElsewhereError

_BUSY_MS = 5_000
_CACHE_KIB = 256  # a site may have hundreds of files open
# pages; soon the log grows no more, and overwriting it is faster; hundreds of them take less room
_CHECKPOINT_PAGES = 200

_SELECT_STATE = """
    SELECT context.backendId, context.currentHead, store.head, store.event_count, store.byte_count,
           store.generation, store.oldest_generation, store.created_at, store.last_push_at,
           store.is_frozen
    FROM context_7 AS context JOIN livesync_store AS store ON store.store_id = context.storeId
    WHERE context.storeId = ?
"""


class StoreFrozenError(StoreElsewhereError):
    """Whether the store still lives in this file has to be asked where places are kept."""


class FileState(NamedTuple):
    """Where the store stands, as its file says."""

    backend_id: str
    head: int
    counted_head: int
    event_count: int
    byte_count: int
    generation: int
    oldest_generation: int
    created_at: str
    last_push_at: str | None
    is_frozen: int

    @property
    def state(self) -> StoreState:
        """What readers are told of it."""
        return StoreState(self.backend_id, self.head, self.event_count)

    @property
    def missing(self) -> int:
        """How many numbers below the head no event has."""
        return self.head - self.event_count


class StoreFile:
    """A connection to the file of a store, for one thread at a time.

    Args:
        path: of the file, which is there.
        store_id: the store that is to be in it.

    Raises:
        sqlite3.DatabaseError: the file cannot be opened, or is no file of this store.
    """

    def __init__(self, path: Path, store_id: str) -> None:
        self.path = path
        self.store_id = store_id
        self.table = eventlog_table(store_id)
        self._busy_ms = _BUSY_MS
        # mode=rw: a new file would be a new history; another thread may use it after this one
        self.driver = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_MS / 1_000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._set_up()
        except BaseException:
            self.driver.close()
            raise

    def close(self) -> None:
        """Close it; the last one to do so writes the log into the file."""
        self.driver.close()

    def is_named(self) -> bool:
        """Whether the file still has its name; ``check`` looks for its log as well."""
        return self._opened.is_named()

    def check(self) -> None:
        """Refuse to go on with a file that is another one by now; before each COMMIT.

        Raises:
            FileLostError: it was removed or replaced, or its log was.
        """
        self._opened.check()

    def wait_for_lock(self, busy_ms: int) -> None:
        """From now on, wait so long where somebody else is writing."""
        if busy_ms != self._busy_ms:
            self.driver.execute(f"PRAGMA busy_timeout = {busy_ms}")
            self._busy_ms = busy_ms

    def state(self, *, even_if_frozen: bool = False) -> FileState:
        """Where the store stands.

        Raises:
            StoreFrozenError: it is frozen.
        """
        with self.snapshot():
            return self.known(even_if_frozen=even_if_frozen)

    def known(self, *, even_if_frozen: bool = False) -> FileState:
        """``state``, within a transaction or a snapshot."""
        row = self.driver.execute(_SELECT_STATE, (self.store_id,)).fetchone()
        if row is None:
            raise schema.ForeignFileError("the file holds another store")
        known = FileState(*row)
        if known.is_frozen and not even_if_frozen:
            raise StoreFrozenError
        return known

    def set_frozen(self, is_frozen: bool) -> None:
        """Let everybody who meets the store here ask whether it still is, or no more."""
        self.driver.execute("UPDATE livesync_store SET is_frozen = ?", (is_frozen,))

    def table_of(self, generation: int) -> str:
        """The table of a history's events, of the store's own or of one that was ended."""
        current = self.state(even_if_frozen=True).generation
        return self.table if generation == current else ended_table(generation)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that nobody else can write beside."""
        self.driver.execute("BEGIN IMMEDIATE")
        yield
        self.check()
        self.driver.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read within is of one instant."""
        self.driver.execute("BEGIN")
        yield
        self.driver.execute("COMMIT")
        self.check()

    def _set_up(self) -> None:
        self.driver.execute("PRAGMA synchronous = FULL")
        self.driver.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self.driver.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        self._opened = opened_file(self.driver)
        self._take_in()
        # not before: a file that is no store's is left as it is
        self.driver.execute("PRAGMA journal_mode = WAL").fetchone()
        self.known(even_if_frozen=True)
        self._opened = opened_file(self.driver)

    def _take_in(self) -> None:
        is_ours = schema.has_own_tables(self.driver)
        if is_ours:
            known = self.known(even_if_frozen=True)
            if known.head == known.counted_head:
                return
        # somebody else has written to the file: it was made elsewhere, or was there meanwhile
        self.driver.execute("BEGIN IMMEDIATE")
        schema.take_in(self.driver, self.store_id)
        if is_ours:
            schema.recount(self.driver, self.store_id)
        self.driver.execute("COMMIT")
