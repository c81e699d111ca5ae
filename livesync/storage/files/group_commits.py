"""Commits of a group, each store in a transaction of its own."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from livesync.protocol.errors import StoreHeldError
from livesync.storage.engine import Append, Outcome
from livesync.storage.files import appending
from livesync.storage.files.store_files import StoreFiles
from livesync.storage.plan import Plan
from livesync.storage.settling import commit_apart, commit_settled
from livesync.storage.timestamps import iso_text

COMMIT_THREADS = 8
"""Commits wait for the disk, which takes several in one go."""

_SHARES = range(COMMIT_THREADS)
_BUSY_MS = 1_000
_HELD_BUSY_MS = 20


class GroupCommits:
    """Commits to several files at a time.

    Args:
        files: of the stores.
        threads: ``COMMIT_THREADS`` of them, to wait for the disk.
    """

    def __init__(self, files: StoreFiles, threads: ThreadPoolExecutor) -> None:
        self._files = files
        self._threads = threads
        self._held: frozenset[str] = frozenset()

    def commit(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        """As ``Engine.commit``; raises nothing."""
        by_store: defaultdict[str, list[int]] = defaultdict(list)
        for number, append in enumerate(appends):
            by_store[append.store_id].append(number)
        groups = [(numbers, [appends[n] for n in numbers]) for numbers in by_store.values()]
        outcomes: list[Outcome] = [StoreHeldError()] * len(appends)
        # one time for all, as it is one commit to those who wait for it
        commit = partial(self._commit_stores, outcomes, iso_text(datetime.now(UTC)))
        if len(groups) == 1:
            commit(groups)
        else:
            # an even share for each thread: handing over each store would cost more than it brings
            list(self._threads.map(commit, [groups[n::COMMIT_THREADS] for n in _SHARES]))
        held = {a.store_id for a, o in zip(appends, outcomes, strict=True) if _is_held(o)}
        self._held = self._held - by_store.keys() | held
        return outcomes

    def _commit_stores(
        self,
        outcomes: list[Outcome],
        created_at: str,
        groups: Sequence[tuple[list[int], list[Append]]],
    ) -> None:
        for numbers, appends in groups:
            found = commit_apart(partial(self._commit_once, created_at), appends)
            for number, outcome in zip(numbers, found, strict=True):
                outcomes[number] = outcome

    def _commit_once(self, created_at: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        name = self._files.layout.file(appends[0].store_id).name
        attempt = partial(self._attempt, created_at)
        return commit_settled(name, appends, attempt, self._is_stored)

    def _attempt(self, created_at: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        store_id = appends[0].store_id
        busy_ms = _HELD_BUSY_MS if store_id in self._held else _BUSY_MS
        with self._files.lend(store_id, busy_ms=busy_ms) as file:
            return appending.commit(file, appends, created_at=created_at).outcomes

    def _is_stored(self, plan: Plan) -> bool:
        (store_id,) = plan.store_ids
        self._files.close(store_id)
        with self._files.lend(store_id) as file:
            return appending.holds(file, plan)


def _is_held(outcome: Outcome) -> bool:
    return isinstance(outcome, StoreHeldError)
