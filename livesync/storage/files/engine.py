"""The ``files`` engine: each store has a file of its own, its own lock, its own commits.

Which stores live here is not decided here: the row of a store in the central tables says so. A
store whose file is missing, or is frozen, raises ``StoreElsewhereError``; see
``livesync.storage.routed``.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from livesync.models import Place
from livesync.protocol.errors import LivesyncError
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
from livesync.storage.files import adoption, browsing, purging, reading, resets, schema
from livesync.storage.files.group_commits import COMMIT_THREADS, GroupCommits
from livesync.storage.files.layout import Layout
from livesync.storage.files.open_files import OpenFiles
from livesync.storage.files.store_file import FileState
from livesync.storage.files.store_files import StoreFiles


class FilesEngine:
    """Implements ``livesync.storage.engine.Engine`` but for what concerns all stores.

    Args:
        directory: of the files; made when the first one is.
        max_open: most connections to files.
    """

    def __init__(self, directory: Path, *, max_open: int) -> None:
        self._files = StoreFiles(directory, max_open=max_open)
        self._threads = ThreadPoolExecutor(COMMIT_THREADS, thread_name_prefix="livesync-files")
        self._commits = GroupCommits(self._files, self._threads)

    @property
    def layout(self) -> Layout:
        """Where the files are."""
        return self._files.layout

    @property
    def open_files(self) -> OpenFiles:
        """Those that are open."""
        return self._files.open_files

    def stop(self) -> None:
        """End the threads and close the files."""
        self._threads.shutdown()
        self.open_files.close_all()

    def make(self, store_ids: Sequence[str]) -> dict[str, str | LivesyncError]:
        """Make the files of stores unless they are there; the backend ids that they say.

        Whoever makes a file first, in whatever process, decides on the id. Where it cannot be made,
        or is no file of its store, the error stands in its place.
        """
        return dict(zip(store_ids, self._threads.map(self._make, store_ids), strict=True))

    def commit(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        """As ``Engine.commit``, each store in a transaction of its own; raises nothing."""
        return self._commits.commit(appends)

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
        with self._files.lend(store_id) as file:
            return reading.read(
                file,
                after,
                max_events=max_events,
                max_bytes=max_bytes,
                even_if_frozen=even_if_frozen,
            )

    def state(self, store_id: str, *, even_if_frozen: bool = False) -> StoreState:
        """Where a store stands."""
        with self._files.lend(store_id) as file:
            return file.state(even_if_frozen=even_if_frozen).state

    def inspect(self, store_id: str) -> StoreDetails:
        """As ``Engine.inspect``, but for the key and the place."""
        with self._files.lend(store_id) as file:
            return _details(store_id, file.state(even_if_frozen=True))

    def headings(
        self, store: StoreDetails, *, start: int, newest_first: bool, max_events: int
    ) -> Sequence[Heading]:
        with self._files.lend(store.store_id) as file:
            return browsing.headings(
                file,
                store.generation,
                start=start,
                newest_first=newest_first,
                max_events=max_events,
            )

    def events(
        self, store: StoreDetails, seq_nums: Sequence[int], *, max_args_chars: int
    ) -> Sequence[LoggedEvent]:
        with self._files.lend(store.store_id) as file:
            return browsing.events(file, store.generation, seq_nums, max_args_chars=max_args_chars)

    def lost_events(self, store: StoreDetails) -> int:
        with self._files.lend(store.store_id) as file:
            return resets.lost_events(file)

    def reset(self, store_id: str) -> Reset:
        backend_id = new_backend_id()
        with self._files.lend(store_id) as file, file.transaction():
            # first: events that nobody knows of would never be deleted
            purging.mark(self._files, store_id)
            former = resets.reset(file, backend_id)
        return Reset(store_id, former.backend_id, backend_id, former.event_count)

    def ended_events(self, store: StoreDetails) -> int:
        with self._files.lend(store.store_id) as file:
            return resets.ended_events(file)

    def has_ended_events(self) -> bool:
        return purging.has_ended_events(self._files)

    def purge(self, *, max_events: int) -> int:
        return purging.purge(self._files, max_events)

    def begin_adoption(
        self, store_id: str, backend_id: str, *, replace_empty: bool = False
    ) -> StoreState:
        """As ``Engine.begin_adoption``; a file that is made is frozen."""
        self._files.make(store_id, schema.new_file(store_id, backend_id, is_frozen=True))
        with self._files.lend(store_id) as file:
            return adoption.begin(file, backend_id, replace_empty=replace_empty)

    def adopt(
        self,
        store_id: str,
        backend_id: str,
        events: Sequence[TimedEvent],
        *,
        even_if_frozen: bool = False,
    ) -> StoreState:
        """As ``Engine.adopt``."""
        with self._files.lend(store_id) as file:
            return adoption.adopt(file, backend_id, events, even_if_frozen=even_if_frozen)

    def is_frozen(self, store_id: str) -> bool:
        """Whether whoever meets the store has to ask where it lives."""
        with self._files.lend(store_id) as file:
            return bool(file.state(even_if_frozen=True).is_frozen)

    def set_frozen(self, store_id: str, is_frozen: bool) -> FileState:
        """Freeze a store, or end it; its state from which nothing follows while it is frozen."""
        with self._files.lend(store_id) as file, file.transaction():
            file.set_frozen(is_frozen)
            return file.known(even_if_frozen=True)

    def place(self, store_id: str, content: bytes) -> None:
        """Put a file in the place of a store's, which is not there."""
        self._files.place(store_id, content)

    def rows_after(
        self, store_id: str, generation: int, after: int, *, max_events: int
    ) -> Sequence[tuple[Any, ...]] | None:
        """The columns of the events numbered above ``after``; None if a reset has ended them."""
        with self._files.lend(store_id) as file:
            return reading.rows_after(file, generation, after, max_events)

    def remove(self, store_id: str) -> None:
        """Delete the file of a store that does not live here, if there is one."""
        self._files.remove(store_id)

    def _make(self, store_id: str) -> str | LivesyncError:
        try:
            self._files.make(store_id, schema.new_file(store_id, new_backend_id()))
            return self.state(store_id, even_if_frozen=True).backend_id
        except LivesyncError as error:
            return error


def _details(store_id: str, known: FileState) -> StoreDetails:
    pushed_at = known.last_push_at
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
        None if pushed_at is None else datetime.fromisoformat(pushed_at),
        Place.FILES,
    )
