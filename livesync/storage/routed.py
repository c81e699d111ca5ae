"""Each store at its own engine: the central tables, or a file.

Where a new store goes, the site's settings say. Where it lives from then on, its row says; a
process remembers that, and is put right by the engine that it asks in vain. As long as a site has
no files, this costs nothing but a look at the outcomes.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from groundwork.connections import refuse_inside_atomic
from groundwork.visible_text import visible
from livesync.models import Place
from livesync.protocol.errors import (
    BackendIdMismatchError,
    StorageUnavailableError,
    StoreHeldError,
)
from livesync.storage.database import DatabaseEngine
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
from livesync.storage.files.engine import FilesEngine
from livesync.storage.files.move_lock import move_lock
from livesync.storage.files.store_file import StoreFrozenError
from livesync.storage.files.store_files import StoreFileMissingError
from livesync.storage.place_memory import PlaceMemory
from livesync.storage.places import (
    StoreElsewhereError,
    add_stores,
    change_place,
    drop_row,
    locked_row,
)
from livesync.storage.routed_commits import MAX_TRIES, RoutedCommits, is_elsewhere
from livesync.storage.transactions import durable_transaction

T = TypeVar("T")

logger = logging.getLogger(__name__)

_IN_FILES = (Place.FILES, Place.TO_FILES)


class RoutedEngine:
    """Implements ``livesync.storage.engine.Engine`` on both engines.

    Args:
        database: keeps the rows that say where stores live.
        files: keeps those that live in files.
        choose: the place of a new store, ``Place.DATABASE`` or ``Place.FILES``; None if all new
            ones go to the database.
    """

    def __init__(
        self,
        database: DatabaseEngine,
        files: FilesEngine,
        choose: Callable[[str], Place] | None = None,
    ) -> None:
        self.database = database
        self.files = files
        self._memory = PlaceMemory(database.alias, choose)
        self._commits = RoutedCommits(database, files, self._memory, self._find_in_files)
        self._lost: set[str] = set()

    @property
    def alias(self) -> str:
        """The database that the central tables are in."""
        return self.database.alias

    def stop(self) -> None:
        """End threads, close files."""
        self.files.stop()

    def commit(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        if not self._memory.is_all_in_database:
            untried: list[Outcome] = [StoreElsewhereError()] * len(appends)
            return self._commits.commit_where_they_live(appends, untried)
        outcomes = self.database.commit(appends)
        if not any(map(is_elsewhere, outcomes)):
            return outcomes
        outcomes = list(outcomes)
        self._commits.put_right(appends, outcomes)
        return self._commits.commit_where_they_live(appends, outcomes)

    def read(self, store_id: str, after: int, *, max_events: int, max_bytes: int) -> Slice | None:
        in_database = partial(self.database.read, store_id, after)
        in_files = partial(self.files.read, store_id, after)
        limits = {"max_events": max_events, "max_bytes": max_bytes}
        return self._ask(
            store_id,
            partial(in_database, **limits),
            partial(in_files, **limits),
            if_frozen=partial(in_files, **limits, even_if_frozen=True),
        )

    def states(self, store_ids: Sequence[str]) -> dict[str, StoreState]:
        in_files = {s for s in store_ids if self._memory.get(s) == Place.FILES}
        found = self.database.states([s for s in store_ids if s not in in_files])
        missing = [s for s in store_ids if s not in found and s not in in_files]
        places = self._memory.look_up(missing) if missing else {}
        in_files |= {s for s, place in places.items() if place == Place.FILES}
        for store_id in in_files:
            try:
                state = self._state(store_id)
            except StorageUnavailableError:
                continue  # was told; one broken file does not keep the others from being compared
            if state is not None:
                found[store_id] = state
        return found

    def store_ids(self, *, after: str, max_stores: int) -> Sequence[str]:
        return self.database.store_ids(after=after, max_stores=max_stores)

    def inspect(self, store_id: str) -> StoreDetails | None:
        for _ in range(MAX_TRIES):
            row = self.database.inspect(store_id)
            if row is None or row.place not in _IN_FILES:
                return row
            try:
                return self.files.inspect(store_id)._replace(key=row.key, place=row.place)
            except StoreFileMissingError:
                if row.place == Place.TO_FILES:
                    return row
        raise self._tell_lost(store_id)

    def headings(
        self, store: StoreDetails, *, start: int, newest_first: bool, max_events: int
    ) -> Sequence[Heading]:
        try:
            return self._engine_of(store).headings(
                store, start=start, newest_first=newest_first, max_events=max_events
            )
        except StoreFileMissingError:
            return []

    def events(
        self, store: StoreDetails, seq_nums: Sequence[int], *, max_args_chars: int
    ) -> Sequence[LoggedEvent]:
        try:
            engine = self._engine_of(store)
            return engine.events(store, seq_nums, max_args_chars=max_args_chars)
        except StoreFileMissingError:
            return []

    def lost_events(self, store: StoreDetails) -> int:
        return self._engine_of(store).lost_events(store)

    def reset(self, store_id: str) -> Reset:
        refuse_inside_atomic(self.alias)
        return self._ask(
            store_id,
            partial(self.database.reset, store_id),
            partial(self.files.reset, store_id),
        )

    def begin_adoption(
        self, store_id: str, backend_id: str, *, replace_empty: bool = False
    ) -> StoreState:
        place = self._memory.look_up_one(store_id)
        if place is None and self._memory.chosen(store_id) == Place.FILES:
            add_stores(self.alias, {store_id: backend_id}, Place.TO_FILES)
            place = self._memory.look_up_one(store_id)
        if place not in _IN_FILES:
            return self.database.begin_adoption(store_id, backend_id, replace_empty=replace_empty)
        with move_lock(self.files.layout.lock(store_id)):
            state = self.files.begin_adoption(store_id, backend_id, replace_empty=replace_empty)
            if self.files.is_frozen(store_id):
                change_place(self.alias, store_id, Place.FILES, Place.TO_FILES)
            return state

    def adopt(self, store_id: str, backend_id: str, events: Sequence[TimedEvent]) -> StoreState:
        place = self._memory.look_up_one(store_id)
        if place not in _IN_FILES:
            return self.database.adopt(store_id, backend_id, events)
        is_arriving = place == Place.TO_FILES
        return self.files.adopt(store_id, backend_id, events, even_if_frozen=is_arriving)

    def end_adoption(self, store_id: str, backend_id: str) -> StoreState:
        if self._memory.look_up_one(store_id) not in _IN_FILES:
            return self.database.end_adoption(store_id, backend_id)
        with move_lock(self.files.layout.lock(store_id)):
            state = self.files.state(store_id, even_if_frozen=True)
            if state.backend_id != backend_id:
                raise BackendIdMismatchError(expected=state.backend_id, received=backend_id)
            # the row first: as long as it says that the store is arriving, it stays frozen
            change_place(self.alias, store_id, Place.TO_FILES, Place.FILES)
            self.thaw(store_id)
        return state

    def drop_adoption(self, store_id: str) -> None:
        if self._memory.look_up_one(store_id) != Place.TO_FILES:
            self.database.drop_adoption(store_id)
            return
        with move_lock(self.files.layout.lock(store_id)):
            if self._memory.look_up_one(store_id) == Place.TO_FILES:
                self.files.remove(store_id)
                drop_row(self.alias, store_id, Place.TO_FILES)

    def ended_events(self, store: StoreDetails) -> int:
        if store.place not in _IN_FILES:
            return self.database.ended_events(store)
        row = self.database.inspect(store.store_id)
        left_behind = 0 if row is None else self.database.ended_events(row)  # by a move
        return left_behind + self.files.ended_events(store)

    def has_ended_events(self) -> bool:
        return self.database.has_ended_events() or self.files.has_ended_events()

    def purge(self, *, max_events: int) -> int:
        deleted = self.database.purge(max_events=max_events)
        return deleted or self.files.purge(max_events=max_events)

    def forget(self, store_id: str) -> None:
        """Look where the store lives when it is asked for again."""
        self._memory.forget(store_id)

    def thaw(self, store_id: str) -> None:
        """End what a move has left behind that was cut off; for who holds the move lock."""
        # the row is locked: the last word of a process that has died may still be on its way
        with durable_transaction(self.alias):
            row = locked_row(self.alias, store_id).first()
            if row is not None and row.place == Place.FILES:
                self.files.set_frozen(store_id, False)

    def _engine_of(self, store: StoreDetails) -> DatabaseEngine | FilesEngine:
        return self.files if store.place in _IN_FILES else self.database

    def _state(self, store_id: str) -> StoreState | None:
        return self._ask(
            store_id,
            lambda: self.database.states([store_id]).get(store_id),
            partial(self.files.state, store_id),
            if_frozen=partial(self.files.state, store_id, even_if_frozen=True),
        )

    def _ask(
        self,
        store_id: str,
        in_database: Callable[[], T],
        in_files: Callable[[], T],
        *,
        if_frozen: Callable[[], T] | None = None,
    ) -> T:
        """Ask where the store lives; at the central tables for one that does not exist."""
        place = self._memory.find(store_id)
        for _ in range(MAX_TRIES):
            try:
                return in_files() if place == Place.FILES else in_database()
            except StoreElsewhereError as error:
                place = self._memory.look_up_one(store_id)
                if place != Place.FILES:
                    continue
                if isinstance(error, StoreFrozenError) and if_frozen is not None:
                    in_files = if_frozen
                else:
                    self._find_in_files(store_id, error)
        raise StoreHeldError

    def _find_in_files(self, store_id: str, error: Exception) -> None:
        """Get ready to ask the file again, whose row says that the store is there."""
        if isinstance(error, StoreFrozenError):
            self._thaw_if_abandoned(store_id)
        elif isinstance(error, StoreFileMissingError) and self._is_lost(store_id):
            raise self._tell_lost(store_id) from error

    def _thaw_if_abandoned(self, store_id: str) -> None:
        """``thaw``, unless a move is under way.

        Raises:
            StoreHeldError: the move is under way.
        """
        with move_lock(self.files.layout.lock(store_id)):
            self.thaw(store_id)

    def _is_lost(self, store_id: str) -> bool:
        # the row has named the file before, and names it still: in between it was to be there
        is_missing = not self.files.layout.file(store_id).exists()
        return is_missing and self._memory.look_up_one(store_id) == Place.FILES

    def _tell_lost(self, store_id: str) -> StorageUnavailableError:
        if store_id not in self._lost:
            self._lost.add(store_id)
            logger.critical(
                "the file %s of store %s is missing. Put it back; a new one in its place would make"
                " clients throw away what they have.",
                self.files.layout.file(store_id),
                visible(store_id),
            )
        return StorageUnavailableError()
