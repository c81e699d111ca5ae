"""The ``files`` engine: each store has a file of its own, its own lock, its own commits.

Which stores live here is not decided here: the row of a store in the central tables says so. A
store whose file is missing, or is frozen, raises ``StoreElsewhereError``; see
``livesync.storage.routed``.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from groundwork.connections import DatabaseUnavailableError
from groundwork.durable_files import make_directory, make_file, remove_file
from livesync.models import Place
from livesync.protocol.admission import admit, check_backend_id
from livesync.protocol.errors import LivesyncError, StoreHeldError
from livesync.storage.backend_id import new_backend_id
from livesync.storage.engine import (
    Append,
    Heading,
    LoggedEvent,
    Outcome,
    Reset,
    Slice,
    StoreDetails,
    StoreState,
    TimedEvent,
)
from livesync.storage.faults import note, unavailable
from livesync.storage.files import schema
from livesync.storage.files.layout import Layout
from livesync.storage.files.open_files import OpenFiles
from livesync.storage.files.store_file import FileState, StoreFile
from livesync.storage.places import StoreElsewhereError
from livesync.storage.plan import Plan, event_rows, text_bytes
from livesync.storage.settling import commit_apart, commit_settled

_COMMIT_THREADS = 8  # commits wait for the disk, which takes several in one go
_BUSY_MS = 5_000
_COMMIT_BUSY_MS = 1_000
_HELD_BUSY_MS = 20


class StoreFileMissingError(StoreElsewhereError):
    """There is no file of this store."""


class FilesEngine:
    """Implements ``livesync.storage.engine.Engine`` but for what concerns all stores.

    Args:
        directory: of the files; made when the first one is.
        max_open: most connections to files.
    """

    def __init__(self, directory: Path, *, max_open: int) -> None:
        self.layout = Layout(directory)
        self.open_files = OpenFiles(max_open)
        self._threads = ThreadPoolExecutor(_COMMIT_THREADS, thread_name_prefix="livesync-files")
        self._held: frozenset[str] = frozenset()

    def stop(self) -> None:
        """End the threads and close the files."""
        self._threads.shutdown()
        self.open_files.close_all()

    def make(self, store_ids: Sequence[str]) -> dict[str, str | LivesyncError]:
        """Make the files of stores unless they are there; the backend ids that they say.

        Whoever makes a file first, in whatever process, decides on the id. Where it cannot be made,
        or is no file of its store, the error stands in its place.
        """
        return dict(zip(store_ids, self._threads.map(self._make_one, store_ids), strict=True))

    def commit(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        """As ``Engine.commit``, each store in a transaction of its own; raises nothing."""
        by_store: defaultdict[str, list[int]] = defaultdict(list)
        for number, append in enumerate(appends):
            by_store[append.store_id].append(number)
        groups = [(numbers, [appends[n] for n in numbers]) for numbers in by_store.values()]
        outcomes: list[Outcome] = [StoreHeldError()] * len(appends)
        commit = partial(self._commit_stores, outcomes)
        if len(groups) == 1:
            commit(groups)
        else:
            # an even share for each thread: handing over each store would cost more than it brings
            list(self._threads.map(commit, [groups[n::_COMMIT_THREADS] for n in _SHARES]))
        held = {a.store_id for a, o in zip(appends, outcomes, strict=True) if _is_held(o)}
        self._held = self._held - by_store.keys() | held
        return outcomes

    def read(
        self,
        store_id: str,
        after: int,
        *,
        max_events: int,
        max_bytes: int,
        even_if_frozen: bool = False,
    ) -> Slice:
        """As ``Engine.read``."""
        with self._file(store_id) as file:
            return file.read(after, max_events, max_bytes, even_if_frozen=even_if_frozen)

    def state(self, store_id: str, *, even_if_frozen: bool = False) -> StoreState:
        """Where a store stands."""
        with self._file(store_id) as file:
            return file.state(even_if_frozen=even_if_frozen).state

    def inspect(self, store_id: str) -> StoreDetails:
        """As ``Engine.inspect``, but for the key and the place."""
        with self._file(store_id) as file:
            known = file.state(even_if_frozen=True)
        return StoreDetails(
            0,
            store_id,
            known.generation,
            known.oldest_generation,
            known.backend_id,
            known.head,
            known.event_count,
            known.byte_count,
            datetime.fromisoformat(known.created_at),
            None if known.last_push_at is None else datetime.fromisoformat(known.last_push_at),
            Place.FILES,
        )

    def headings(
        self, store: StoreDetails, *, start: int, newest_first: bool, max_events: int
    ) -> Sequence[Heading]:
        with self._file(store.store_id) as file:
            return file.headings(
                store.generation, start, newest_first=newest_first, max_events=max_events
            )

    def events(
        self, store: StoreDetails, seq_nums: Sequence[int], *, max_args_chars: int
    ) -> Sequence[LoggedEvent]:
        with self._file(store.store_id) as file:
            return file.events(store.generation, seq_nums, max_args_chars=max_args_chars)

    def lost_events(self, store: StoreDetails) -> int:
        with self._file(store.store_id) as file:
            known = file.state(even_if_frozen=True)
            waiting = range(known.oldest_generation, known.generation)
            lost = [n for n in file.ended_generations() if n not in waiting]
            return sum(map(file.count_ended, lost))

    def reset(self, store_id: str) -> Reset:
        backend_id = new_backend_id()
        with self._file(store_id) as file, file.transaction():
            # first: events that nobody knows of would never be deleted
            self._mark_ended(store_id)
            former = file.reset(backend_id)
        return Reset(store_id, former.backend_id, backend_id, former.event_count)

    def ended_events(self, store: StoreDetails) -> int:
        with self._file(store.store_id) as file:
            return sum(map(file.count_ended, file.ended_generations()))

    def has_ended_events(self) -> bool:
        with _telling_faults():
            return next(self._ended(), None) is not None

    def purge(self, *, max_events: int) -> int:
        for marker in self._ended():
            try:
                if deleted := self._purge(marker, max_events):
                    return deleted
            except (sqlite3.DatabaseError, OSError, LivesyncError) as error:
                note(error)  # one broken file does not keep the others from being cleaned up
        return 0

    def begin_adoption(
        self, store_id: str, backend_id: str, *, replace_empty: bool = False
    ) -> StoreState:
        """As ``Engine.begin_adoption``; a file that is made is frozen."""
        with _telling_faults():
            self._make(store_id, schema.new_file(store_id, backend_id, is_frozen=True))
        with self._file(store_id) as file, file.transaction():
            known = file.known(even_if_frozen=True)
            if known.backend_id != backend_id and known.event_count == 0 and replace_empty:
                file.set_frozen(True)
                file.set_backend_id(backend_id)
                known = file.known(even_if_frozen=True)
        check_backend_id(backend_id, stored=known.backend_id)
        return known.state

    def adopt(
        self,
        store_id: str,
        backend_id: str,
        events: Sequence[TimedEvent],
        *,
        even_if_frozen: bool = False,
    ) -> StoreState:
        """As ``Engine.adopt``."""
        batch = [timed.event for timed in events]
        with self._file(store_id) as file, file.transaction():
            known = file.known(even_if_frozen=even_if_frozen)
            check_backend_id(backend_id, stored=known.backend_id)
            admit(known.head, batch)
            rows = event_rows(0, known.generation, known.event_count, events)
            file.adopt(rows, text_bytes(batch))
            return file.known(even_if_frozen=True).state

    def is_frozen(self, store_id: str) -> bool:
        """Whether whoever meets the store has to ask where it lives."""
        with self._file(store_id) as file:
            return bool(file.state(even_if_frozen=True).is_frozen)

    def set_frozen(self, store_id: str, is_frozen: bool) -> FileState:
        """Freeze a store, or end it; its state from which nothing follows while it is frozen."""
        with self._file(store_id) as file, file.transaction():
            file.set_frozen(is_frozen)
            return file.known(even_if_frozen=True)

    def place(self, store_id: str, content: bytes) -> None:
        """Put a file in the place of a store's, which is not there."""
        with _telling_faults():
            make_file(self.layout.file(store_id), content)

    def rows_after(
        self, store_id: str, generation: int, after: int, *, max_events: int
    ) -> Sequence[tuple[Any, ...]] | None:
        """The columns of the events numbered above ``after``; None if a reset has ended them."""
        with self._file(store_id) as file:
            return file.rows_after(generation, after, max_events)

    def remove(self, store_id: str) -> None:
        """Delete the file of a store that does not live here, if there is one."""
        path = self.layout.file(store_id)
        self.open_files.close(path)
        with _telling_faults():
            remove_file(path)

    @contextmanager
    def _file(self, store_id: str, busy_ms: int = _BUSY_MS) -> Iterator[StoreFile]:
        path = self.layout.file(store_id)
        with _telling_faults():
            try:
                with self.open_files.lend(path, store_id, busy_ms=busy_ms) as file:
                    yield file
            except FileNotFoundError as error:
                raise StoreFileMissingError from error

    def _make_one(self, store_id: str) -> str | LivesyncError:
        try:
            with _telling_faults():
                self._make(store_id, schema.new_file(store_id, new_backend_id()))
            return self.state(store_id, even_if_frozen=True).backend_id
        except LivesyncError as error:
            return error

    def _make(self, store_id: str, content: bytes) -> None:
        path = self.layout.file(store_id)
        if not path.exists():
            make_file(path, content)

    def _commit_stores(
        self, outcomes: list[Outcome], groups: Sequence[tuple[list[int], list[Append]]]
    ) -> None:
        for numbers, appends in groups:
            for number, outcome in zip(numbers, self._commit_store(appends), strict=True):
                outcomes[number] = outcome

    def _commit_store(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        store_id = appends[0].store_id
        path = self.layout.file(store_id)
        try:
            return commit_apart(partial(self._commit_once, path.name, store_id), appends)
        except LivesyncError as error:
            return [error] * len(appends)

    def _commit_once(
        self, name: str, store_id: str, appends: Sequence[Append]
    ) -> Sequence[Outcome]:
        return commit_settled(name, appends, partial(self._attempt, store_id), self._is_stored)

    def _attempt(self, store_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        busy_ms = _HELD_BUSY_MS if store_id in self._held else _COMMIT_BUSY_MS
        with self._file(store_id, busy_ms) as file:
            return file.commit(appends, datetime.now(UTC)).outcomes

    def _is_stored(self, plan: Plan) -> bool:
        (store_id,) = plan.store_ids
        self.open_files.close(self.layout.file(store_id))
        with self._file(store_id) as file:
            return file.holds(plan)

    def _mark_ended(self, store_id: str) -> None:
        make_directory(self.layout.ended_directory)
        self.layout.ended(store_id).write_text(store_id, encoding="utf-8", newline="")

    def _ended(self) -> Iterator[Path]:
        try:
            with os.scandir(self.layout.ended_directory) as found:
                for entry in found:
                    yield Path(entry.path)
        except FileNotFoundError:
            return

    def _purge(self, marker: Path, max_events: int) -> int:
        with marker.open(encoding="utf-8", newline="") as opened:
            store_id = opened.read()
        try:
            with self._file(store_id) as file, file.transaction():
                for generation in file.ended_generations():
                    if deleted := file.purge(generation, max_events):
                        return deleted
                file.forget_ended()
                # within the transaction: a reset that follows sets it again
                marker.unlink(missing_ok=True)
        except StoreFileMissingError:
            marker.unlink(missing_ok=True)
        return 0


_SHARES = range(_COMMIT_THREADS)


def _is_held(outcome: Outcome) -> bool:
    return isinstance(outcome, StoreHeldError)


@contextmanager
def _telling_faults() -> Iterator[None]:
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
