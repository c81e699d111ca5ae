"""Is what is stored a sound history? Reads everything, in bounded memory, beside running pushes."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from groundwork import strict_json
from livesync.protocol.chunking import utf8_size
from livesync.protocol.errors import LivesyncError
from livesync.protocol.events import MAX_SEQ_NUM
from livesync.services.history import pieces
from livesync.services.stores import inspect_store
from livesync.storage import get_engine
from livesync.storage.engine import LoggedEvent, StoreDetails

_any_json = msgspec.json.Decoder(msgspec.Raw)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


class StoreChangedError(LivesyncError):
    """The store was reset or moved while it was being verified."""

    def __init__(self, *, store_id: str) -> None:
        self.store_id = store_id
        super().__init__(f"store {store_id!r} was reset or moved meanwhile; verify it again")


class Finding(NamedTuple):
    """Something that must not be; ``seq_num`` is None when it is the store's own."""

    seq_num: int | None
    text: str


def verify_store(store_id: str) -> Iterator[Finding]:
    """Read a store's history from end to end and tell what is wrong with it.

    The chain of parents starts at 0 and is unbroken; the numbers ascend; ordinals count from 1;
    args are JSON; head, event count and byte count are those of the events. What is pushed
    meanwhile is checked as well, as far as it is met.

    Raises:
        StoreNotFoundError: there is no such store.
        StoreChangedError: it was reset meanwhile.
        StorageUnavailableError: the database is out of reach.
    """
    store = inspect_store(store_id)
    walk = _Walk(store)
    for events in pieces(store):
        findings = [finding for event in events for finding in walk.step(event)]
        now = inspect_store(store_id)
        if (now.place, now.generation) != (store.place, store.generation):
            raise StoreChangedError(store_id=store_id)
        yield from findings
        yield from _above(now.head, events)
    yield from walk.totals()
    if lost := get_engine().lost_events(store):
        yield Finding(None, f"{lost} events are of no history, and nothing will delete them")


class _Walk:
    """What is known of a history up to the last event seen."""

    def __init__(self, store: StoreDetails) -> None:
        self._store = store
        self._last = 0
        self._ordinal = 0
        self._head = 0
        self._count = 0
        self._bytes = 0

    def step(self, event: LoggedEvent) -> Iterator[Finding]:
        """Check the next event against those before it."""
        for text in self._faults(event):
            yield Finding(event.seq_num, text)
        self._last, self._ordinal = event.seq_num, event.ordinal
        if event.seq_num <= self._store.head:
            self._head = event.seq_num
            self._count += 1
            self._bytes += utf8_size(event.name) + event.args_bytes

    def totals(self) -> Iterator[Finding]:
        """Compare what the store's row says with the events up to its head."""
        for name, said, found in (
            ("head", self._store.head, self._head),
            ("event count", self._store.event_count, self._count),
            ("byte count", self._store.byte_count, self._bytes),
        ):
            if said != found:
                yield Finding(None, f"the {name} is {said}, but the events make it {found}")

    def _faults(self, event: LoggedEvent) -> Iterator[str]:
        if event.parent_seq_num != self._last:
            yield f"continues {event.parent_seq_num}, but follows {self._last}"
        if not 0 <= event.parent_seq_num < event.seq_num <= MAX_SEQ_NUM:
            yield f"cannot have the parent {event.parent_seq_num}"
        if event.ordinal != self._ordinal + 1:
            yield f"has the ordinal {event.ordinal}, but follows {self._ordinal}"
        if event.args is not None and not _is_json(event.args):
            yield "has args that are not JSON"
        if not _TIME.fullmatch(event.created_at):
            yield f"was created at {event.created_at!r}, which is no time"


def _above(head: int, events: Sequence[LoggedEvent]) -> Iterator[Finding]:
    # the head is younger than the events: whatever was pushed meanwhile is at or below it
    for event in events:
        if event.seq_num > head:
            yield Finding(event.seq_num, f"lies above the head, which is {head}")


def _is_json(text: str) -> bool:
    try:
        strict_json.read(text, _any_json)
    except strict_json.JsonError:
        return False
    return True
