"""Bring a store here from a file, so that its clients go on as if nothing had happened.

A new store is served only when all of its history is here. Where clients could see what is being
written, because the store is served already, the whole file is checked before the first event.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from groundwork.connections import refuse_inside_atomic
from groundwork.visible_text import visible
from livesync.moving.errors import FileRefusedError
from livesync.moving.opening import open_source
from livesync.moving.source import Origin, Source
from livesync.protocol.errors import ServerAheadError
from livesync.protocol.events import Event
from livesync.services.hints import Hint
from livesync.services.history import pieces
from livesync.services.import_target import ImportRefusedError, ImportRequest, Target, find_target
from livesync.services.limits import get_limits
from livesync.services.stores import tell_everybody
from livesync.storage import get_engine
from livesync.storage.engine import LoggedEvent, TimedEvent

logger = logging.getLogger(__name__)

SLICE_EVENTS = 5_000
"""Events written in one transaction: about 50 ms for which other writers wait."""

_SLICE_CHARS = 8_000_000

Progress = Callable[[int, float], object]
"""Told the number of events that were read, and the share of the file, from 0 to 1."""


class Imported(NamedTuple):
    """What an import has come to, or would; ``added`` of the events were not there before."""

    store_id: str
    backend_id: str
    head: int
    event_count: int
    added: int
    origin: Origin


def import_store(
    request: ImportRequest,
    *,
    is_dry_run: bool = False,
    tell: Callable[[str], object] = lambda _: None,
    progress: Progress = lambda count, share: None,
) -> Imported:
    """Take in the history of a file, with its identity, its numbers and its times.

    An import that was cut off is continued; what is there already must be how the file begins.

    Args:
        request: what to import.
        is_dry_run: read and compare everything, and change nothing.
        tell: is given what the person who imports has to know, each a sentence.
        progress: is called after each slice.

    Raises:
        FileRefusedError: the file is damaged, foreign or not sound; nothing was changed.
        ImportRefusedError: it does not fit what is stored here; nothing was changed.
        StorageUnavailableError: the database is out of reach; run it again to continue.
        InsideTransactionError: the caller holds a transaction on livesync's database.
    """
    refuse_inside_atomic("livesync")
    with _open(request) as source:
        origin = source.origin
        target = find_target(request, origin)
    for note in origin.notes:
        tell(note)
    if is_dry_run or target.is_served:
        found = _read_through(request, target, lambda _: None, progress)
        if is_dry_run or (found.added == 0 and found.event_count > 0):
            return _result(target, found, origin)
    return _import(request, target, origin, progress)


def _import(request: ImportRequest, target: Target, origin: Origin, progress: Progress) -> Imported:
    engine = get_engine()
    store_id, backend_id = target.store_id, target.backend_id
    engine.begin_adoption(store_id, backend_id, replace_empty=True)
    try:
        found = _read_through(
            request,
            target,
            lambda events: engine.adopt(store_id, backend_id, events),
            progress,
        )
    except ServerAheadError as error:
        raise ImportRefusedError(
            f"somebody else has written to store {visible(store_id)} meanwhile: {error}"
        ) from error
    except FileRefusedError:
        engine.drop_adoption(store_id)  # does nothing to a store that is served
        raise
    state = engine.end_adoption(store_id, backend_id)
    logger.info(
        "store %s was imported: backend id %s, head %d, %d events, %d of them new",
        visible(store_id),
        backend_id,
        state.head,
        state.event_count,
        found.added,
    )
    tell_everybody(Hint(store_id, backend_id, state.head))
    return _result(target, found, origin)


def _open(request: ImportRequest) -> AbstractContextManager[Source]:
    return open_source(
        request.path, store_id=request.store_id, context=request.context, limits=get_limits()
    )


class _Found(NamedTuple):
    """What one reading of the file has come to."""

    head: int
    event_count: int
    added: int


def _read_through(
    request: ImportRequest,
    target: Target,
    write: Callable[[list[TimedEvent]], object],
    progress: Progress,
) -> _Found:
    """Read the file from front to back; compare what is stored already, write the rest."""
    with _open(request) as source:
        events = source.events()
        head, already = _compare(source, events, target, progress)
        count = already
        for piece in _slices(events):
            write(piece)
            head, count = piece[-1].event.seq_num, count + len(piece)
            progress(count, source.share_read())
        _check_head(head, source.origin, beyond_head=request.beyond_head)
    return _Found(head, count, count - already)


def _compare(
    source: Source, events: Iterator[TimedEvent], target: Target, progress: Progress
) -> tuple[int, int]:
    """Check that the file begins with what is stored; the last number of that, and how many."""
    head = count = 0
    if target.stored is None or not target.stored.event_count:
        return head, count
    for piece in pieces(target.stored):
        for stored in piece:
            if stored.seq_num > target.stored.head:
                break
            event = next(events, None)
            if event is None or not _is_same(stored, event, with_time=source.has_times):
                raise ImportRefusedError(_difference(target, stored, event))
            head, count = stored.seq_num, count + 1
        progress(count, source.share_read())
    return head, count


def _is_same(stored: LoggedEvent, found: TimedEvent, *, with_time: bool) -> bool:
    event = Event(
        stored.name,
        stored.args,
        stored.seq_num,
        stored.parent_seq_num,
        stored.client_id,
        stored.session_id,
    )
    return event == found.event and (stored.created_at == found.created_at or not with_time)


def _difference(target: Target, stored: LoggedEvent, found: TimedEvent | None) -> str:
    store_id = visible(target.store_id)
    remedy = "" if target.is_served else "; --restart forgets what that import has left"
    who = "" if target.is_served else " an import that was cut off has left there"
    if found is None:
        return f"store {store_id} has event {stored.seq_num}{who}, but the file ends before{remedy}"
    return (
        f"event {found.event.seq_num} of the file is not event {stored.seq_num} that store "
        f"{store_id} has{who}{remedy}"
    )


def _slices(events: Iterator[TimedEvent]) -> Iterator[list[TimedEvent]]:
    piece: list[TimedEvent] = []
    size = 0
    for timed in events:
        piece.append(timed)
        size += len(timed.event.args or "")
        if len(piece) == SLICE_EVENTS or size > _SLICE_CHARS:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _check_head(head: int, origin: Origin, *, beyond_head: bool) -> None:
    if origin.head is None or head == origin.head:
        return
    if head < origin.head:
        raise FileRefusedError(
            f"its last event is {head}, but its server knows of {origin.head}: some are missing"
        )
    if not beyond_head:
        raise FileRefusedError(
            f"its last event is {head}, but its server knows of {origin.head} only: the others are "
            "of a push that was interrupted, or in D1 of a store with a similar id. Clients were "
            "shown them; --beyond-head takes them as well"
        )


def _result(target: Target, found: _Found, origin: Origin) -> Imported:
    return Imported(
        target.store_id, target.backend_id, found.head, found.event_count, found.added, origin
    )
