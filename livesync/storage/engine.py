"""The storage interface: append, read, look, reset; what each engine owes its callers.

Every engine owes this, and one contract suite holds all of them to it:

- a batch is stored whole or not at all, and only behind the head it was made on;
- what ``commit`` reports as appended is on disk;
- a slice is a contiguous piece of one history, with the backend id read in the same instant;
- a store that does not exist is made by the first append, were it an empty one, with one backend
  id, whoever asks first and however many ask at once;
- a fault of the database that passes is a ``StorageUnavailableError``, and leaves nothing behind.

All methods block and are called from threads of ours, never from an event loop.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from livesync.models import Place
from livesync.protocol.events import Event


class Append(NamedTuple):
    """A batch to append; ``backend_id`` is the history that the client knows, None if none yet.

    An empty batch asks for no more than that the store exist.
    """

    store_id: str
    backend_id: str | None
    batch: Sequence[Event]


class Appended(NamedTuple):
    """A stored batch: it continues ``parent`` and has moved the store's head to ``head``.

    ``made_store`` says that the store was not there before.
    """

    store_id: str
    backend_id: str
    parent: int
    head: int
    batch: Sequence[Event]
    created_at: str
    made_store: bool = False


class StoreState(NamedTuple):
    """Where a store stands, as of one instant."""

    backend_id: str
    head: int
    event_count: int


class TimedEvent(NamedTuple):
    """An event of a history from elsewhere, and when it was stored there: ISO 8601, UTC."""

    event: Event
    created_at: str


class Slice(NamedTuple):
    """Events after a cursor, encoded as items of a page, and the state of the store with them.

    ``remaining`` counts the events of the history that follow after the last one given.
    """

    state: StoreState
    seq_nums: Sequence[int]
    events: Sequence[str]
    remaining: int


class StoreDetails(NamedTuple):
    """All that is known of a store without reading its events, as of one instant.

    ``key`` is the engine's own name for it. ``oldest_generation`` is below ``generation`` while
    events of before a reset await their deletion. ``byte_count`` adds up the UTF-8
    bytes of the events' names and args. ``place`` is one of ``livesync.models.Place``.
    """

    key: int
    store_id: str
    generation: int
    oldest_generation: int
    backend_id: str
    head: int
    event_count: int
    byte_count: int
    created_at: datetime
    last_push_at: datetime | None
    place: str = Place.DATABASE


class Heading(NamedTuple):
    """What an event is about, without its args; ``args_bytes`` is their size in UTF-8."""

    seq_num: int
    name: str
    client_id: str
    args_bytes: int


class LoggedEvent(NamedTuple):
    """A stored event to look at; ``args`` may have been cut, ``args_bytes`` is the whole size."""

    seq_num: int
    parent_seq_num: int
    ordinal: int
    name: str
    args: str | None
    args_bytes: int
    client_id: str
    session_id: str
    created_at: str


class Reset(NamedTuple):
    """A history that was ended with ``event_count`` events, and the identity of the new one."""

    store_id: str
    old_backend_id: str
    backend_id: str
    event_count: int


Outcome = Appended | Exception


class Engine(Protocol):
    """Where eventlogs are kept."""

    def commit(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        """Store every append that continues its eventlog, each store's in one transaction.

        Returns an outcome for each: ``Appended``, or the ``ServerAheadError`` or
        ``BackendIdMismatchError`` that is its own and harms no other. Where somebody else holds a
        store, all its appends get a ``StoreHeldError`` soon, so that the others need not wait.

        Raises:
            StorageUnavailableError: the database is out of reach; nothing was stored.
            CommitUnknownError: it may have been stored, and could not be asked.
        """

    def read(self, store_id: str, after: int, *, max_events: int, max_bytes: int) -> Slice | None:
        """Events numbered above ``after``, oldest first; None if there is no such store.

        At most ``max_events`` and, but for a single event that is larger, ``max_bytes``.
        """

    def states(self, store_ids: Sequence[str]) -> dict[str, StoreState]:
        """The states of those stores that exist."""

    def store_ids(self, *, after: str, max_stores: int) -> Sequence[str]:
        """The ids of the stores that follow ``after`` ("": from the start), in their order."""

    def inspect(self, store_id: str) -> StoreDetails | None:
        """What is known of a store; None if there is no such store."""

    def headings(
        self, store: StoreDetails, *, start: int, newest_first: bool, max_events: int
    ) -> Sequence[Heading]:
        """The history's events from number ``start`` on, in the order asked for.

        A contiguous piece, unless a reset has ended the history meanwhile.
        """

    def events(
        self, store: StoreDetails, seq_nums: Sequence[int], *, max_args_chars: int
    ) -> Sequence[LoggedEvent]:
        """Those of the history's events that have one of ``seq_nums``, oldest first.

        At most ``max_args_chars`` characters of each one's args.
        """

    def lost_events(self, store: StoreDetails) -> int:
        """How many events of the store belong to no history that is, or that waits for ``purge``.

        None, if all is well.
        """

    def reset(self, store_id: str) -> Reset:
        """Give a store a new, empty history, at once however long the old one.

        The old events are deleted by ``purge``.

        Raises:
            StoreNotFoundError: there is no such store.
            StorageUnavailableError: the database is out of reach. If the connection broke at the
                end, the store may have been reset nevertheless.
        """

    def begin_adoption(
        self, store_id: str, backend_id: str, *, replace_empty: bool = False
    ) -> StoreState:
        """Get ready to take in a history from elsewhere, under the identity that it has there.

        A store that does not exist is made, and served to nobody until ``end_adoption``: pushes and
        reads get a ``StoreArrivingError``. Its state is given; it is what a former attempt
        has left if that was cut off. A store that is served already, with this history, goes on
        being served while it is continued.

        Args:
            store_id: the store here.
            backend_id: the history's identity; at most 128 characters.
            replace_empty: give up the history that the store has if it holds no event. Who has
                synced with it starts over.

        Raises:
            BackendIdMismatchError: the store has another history.
            StorageUnavailableError: the database is out of reach.
        """

    def adopt(self, store_id: str, backend_id: str, events: Sequence[TimedEvent]) -> StoreState:
        """Append events of before, with their own times, in one transaction; between the two.

        The events are one or more, a chain, and sound: see ``livesync.protocol.events``. A few
        thousand at a time are fast.

        Raises:
            StoreNotFoundError: nobody has begun.
            BackendIdMismatchError: the store has, or has got meanwhile, another history.
            ServerAheadError: the events do not continue what is stored.
            StorageUnavailableError: the database is out of reach. If the connection broke at the
                end, the events may have been stored nevertheless: ``begin_adoption`` tells.
        """

    def end_adoption(self, store_id: str, backend_id: str) -> StoreState:
        """Serve the store from now on. Does nothing to one that is served already.

        Raises:
            StoreNotFoundError: nobody has begun.
            BackendIdMismatchError: the store has got another history meanwhile.
            StorageUnavailableError: as for ``adopt``.
        """

    def drop_adoption(self, store_id: str) -> None:
        """Forget a history that was never served, and its store. Does nothing to others.

        Raises:
            StorageUnavailableError: the database is out of reach.
        """

    def ended_events(self, store: StoreDetails) -> int:
        """How many events of the store wait for ``purge``; takes time in proportion."""

    def has_ended_events(self) -> bool:
        """Whether there is any work for ``purge``."""

    def purge(self, *, max_events: int) -> int:
        """Delete up to ``max_events`` events of histories that a reset has ended; how many.

        0 means that none is left, or that others are deleting the rest.
        """
