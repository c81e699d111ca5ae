"""Write a store to a file: one history up to its head of now, whatever is pushed meanwhile."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from groundwork.visible_text import visible
from livesync.moving.new_file import new_file
from livesync.moving.writing import WRITERS, History
from livesync.protocol.errors import LivesyncError, StoreNotFoundError
from livesync.storage import get_engine
from livesync.storage.engine import Slice, StoreState

logger = logging.getLogger(__name__)

FORMATS = tuple(WRITERS)

_SLICE_EVENTS = 2_000
_SLICE_BYTES = 4_000_000


class HistoryEndedError(LivesyncError):
    """The store was reset while it was being exported."""

    def __init__(self, *, store_id: str) -> None:
        self.store_id = store_id
        super().__init__(f"store {store_id!r} was reset meanwhile; export it again")


class Exported(NamedTuple):
    """What a file holds now."""

    store_id: str
    backend_id: str
    head: int
    event_count: int


def export_store(
    store_id: str,
    path: Path,
    *,
    format_name: str,
    overwrite: bool = False,
    progress: Callable[[int, float], object] = lambda count, share: None,
) -> Exported:
    """Write the events that a store has now, in bounded memory and without a lock.

    Args:
        store_id: which store.
        path: the file; it appears when it is complete.
        format_name: one of ``FORMATS``.
        overwrite: whether the file may take the place of another one.
        progress: is called with the events so far, and the share of all that they are.

    Raises:
        StoreNotFoundError: there is no such store.
        HistoryEndedError: it was reset meanwhile; there is no file.
        FileRefusedError: the file cannot be written.
        StorageUnavailableError: the database is out of reach; there is no file.
    """
    with new_file(path, overwrite=overwrite) as unfinished:
        first = _read(store_id, after=0)
        state = first.state
        history = History(
            store_id=store_id,
            backend_id=state.backend_id,
            head=state.head,
            event_count=state.event_count,
            exported_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            slices=_slices(store_id, first, progress),
        )
        WRITERS[format_name](history, unfinished)
    logger.info("store %s was exported: %d events", visible(store_id), state.event_count)
    return Exported(store_id, state.backend_id, state.head, state.event_count)


def _slices(
    store_id: str, found: Slice, progress: Callable[[int, float], object]
) -> Iterator[Sequence[str]]:
    state = found.state
    count = 0
    while True:
        items = _up_to_head(found, state)
        yield items
        count += len(items)
        progress(count, count / state.event_count if state.event_count else 1.0)
        if count == state.event_count:
            return
        found = _read(store_id, after=found.seq_nums[-1])
        if found.state.backend_id != state.backend_id:
            raise HistoryEndedError(store_id=store_id)


def _up_to_head(found: Slice, state: StoreState) -> Sequence[str]:
    if not found.seq_nums or found.seq_nums[-1] <= state.head:
        return found.events
    return found.events[: sum(seq_num <= state.head for seq_num in found.seq_nums)]


def _read(store_id: str, *, after: int) -> Slice:
    found = get_engine().read(store_id, after, max_events=_SLICE_EVENTS, max_bytes=_SLICE_BYTES)
    if found is None:
        raise StoreNotFoundError(store_id=store_id)
    return found
