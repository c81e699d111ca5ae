"""Commits of a group whose stores live in different places."""

from collections.abc import Callable, Iterable, Sequence

from livesync.models import Place
from livesync.protocol.errors import LivesyncError, StorageUnavailableError, StoreHeldError
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Append, Appended, Outcome
from livesync.storage.files.engine import FilesEngine
from livesync.storage.place_memory import PlaceMemory
from livesync.storage.places import StoreElsewhereError, add_stores
from livesync.storage.settling import commit_apart

MAX_TRIES = 3
"""How often a store that moves meanwhile is looked for."""


class RoutedCommits:
    """Sends each append to where its store lives, and makes new stores where they are to live.

    Args:
        database: keeps the rows.
        files: keeps the stores in files.
        memory: where stores live.
        find_in_files: gets ready to ask a file again that has raised the error although the row of
            its store names it, or raises what is to be told.
    """

    def __init__(
        self,
        database: DatabaseEngine,
        files: FilesEngine,
        memory: PlaceMemory,
        find_in_files: Callable[[str, Exception], None],
    ) -> None:
        self._database = database
        self._files = files
        self._memory = memory
        self._find_in_files = find_in_files

    def commit_where_they_live(
        self, appends: Sequence[Append], outcomes: list[Outcome]
    ) -> Sequence[Outcome]:
        """Commit the appends whose outcome is a StoreElsewhereError where their stores live."""
        for _ in range(MAX_TRIES):
            waiting = [n for n, outcome in enumerate(outcomes) if is_elsewhere(outcome)]
            if not waiting:
                return outcomes
            self._commit_waiting(appends, outcomes, waiting)
            self.put_right(appends, outcomes)
        return [StoreHeldError() if is_elsewhere(outcome) else outcome for outcome in outcomes]

    def _commit_waiting(
        self, appends: Sequence[Append], outcomes: list[Outcome], waiting: Sequence[int]
    ) -> None:
        places, new = self._places_to_append({appends[n].store_id for n in waiting})
        in_files: list[int] = []
        in_database: list[int] = []
        for n in waiting:
            place = places[appends[n].store_id]
            if isinstance(place, Exception):
                outcomes[n] = place
            else:
                (in_files if place == Place.FILES else in_database).append(n)
        for commit, numbers in (
            (self._files.commit, in_files),
            (self._database.commit, in_database),
        ):
            if numbers:
                found = commit_apart(commit, [appends[n] for n in numbers])
                for n, outcome in zip(numbers, found, strict=True):
                    outcomes[n] = _with_news(outcome, new)

    def put_right(self, appends: Sequence[Append], outcomes: list[Outcome]) -> None:
        """Find out where the stores live that are elsewhere; tell those that cannot be found."""
        errors = {
            append.store_id: outcome
            for append, outcome in zip(appends, outcomes, strict=True)
            if isinstance(outcome, StoreElsewhereError)
        }
        told = self._find(errors) if errors else {}
        for n, append in enumerate(appends):
            if is_elsewhere(outcomes[n]):
                outcomes[n] = told.get(append.store_id, outcomes[n])

    def _find(self, errors: dict[str, StoreElsewhereError]) -> dict[str, LivesyncError]:
        """Look up stores that were not where they were thought to be; what to tell of some."""
        try:
            places = self._memory.look_up(list(errors))
        except StorageUnavailableError as fault:
            return dict.fromkeys(errors, fault)
        told: dict[str, LivesyncError] = {}
        for store_id, error in errors.items():
            if places.get(store_id) == Place.FILES:
                try:
                    self._find_in_files(store_id, error)
                except StorageUnavailableError as fault:
                    told[store_id] = fault
        return told

    def _places_to_append(
        self, store_ids: Iterable[str]
    ) -> tuple[dict[str, str | LivesyncError], set[str]]:
        """Where the stores live, or what is to be told of them; and those that are new in files."""
        new: set[str] = set()
        places: dict[str, str | LivesyncError] = {}
        unknown = []
        for store_id in store_ids:
            place = self._memory.get(store_id)
            if place is None:
                unknown.append(store_id)
            places[store_id] = place or Place.DATABASE
        if unknown and self._memory.must_ask:
            try:
                found = self._memory.look_up(unknown)
                places |= found
                missing = [store_id for store_id in unknown if store_id not in found]
                places |= self._make_in_files(missing, new)
            except StorageUnavailableError as error:
                places |= dict.fromkeys(unknown, error)
        return places, new

    def _make_in_files(
        self, store_ids: Sequence[str], new: set[str]
    ) -> dict[str, str | LivesyncError]:
        """Make the files of those new stores that are to have one, and their rows."""
        made = self._files.make([s for s in store_ids if self._memory.chosen(s) == Place.FILES])
        backend_ids = {s: id_ for s, id_ in made.items() if isinstance(id_, str)}
        places: dict[str, str | LivesyncError] = {
            s: error for s, error in made.items() if not isinstance(error, str)
        }
        if backend_ids:
            new |= add_stores(self._database.alias, backend_ids, Place.FILES)
            places |= self._memory.look_up(list(backend_ids))
        return places


def _with_news(outcome: Outcome, new: set[str]) -> Outcome:
    """``outcome``, which tells that its store is one of the new ones if it is the first to."""
    if isinstance(outcome, Appended) and outcome.store_id in new:
        new.remove(outcome.store_id)
        return outcome._replace(made_store=True)
    return outcome


def is_elsewhere(outcome: Outcome) -> bool:
    """Whether nothing was done, as the store lives in another place."""
    return isinstance(outcome, StoreElsewhereError)
