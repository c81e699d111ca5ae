"""The storage interface: append, read, reset; what each engine owes its callers.

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
from typing import NamedTuple, Protocol

from livesync.protocol.events import Event


class Append(NamedTuple):
    """A batch to append; ``backend_id`` is the history that the client knows, None if none yet.

    An empty batch asks for no more than that the store exist.
    """

    store_id: str
    backend_id: str | None
    batch: Sequence[Event]


class Appended(NamedTuple):
    """A stored batch: it continues ``parent`` and has moved the store's head to ``head``."""

    store_id: str
    backend_id: str
    parent: int
    head: int
    batch: Sequence[Event]
    created_at: str


class StoreState(NamedTuple):
    """Where a store stands, as of one instant."""

    backend_id: str
    head: int
    event_count: int


class Slice(NamedTuple):
    """Events after a cursor, encoded as items of a page, and the state of the store with them.

    ``remaining`` counts the events of the history that follow after the last one given.
    """

    state: StoreState
    seq_nums: Sequence[int]
    events: Sequence[str]
    remaining: int


Outcome = Appended | Exception


class Engine(Protocol):
    """Where eventlogs are kept."""

    def commit(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        """Store, in one transaction, every append that continues its eventlog.

        Returns an outcome for each: ``Appended``, or the ``ServerAheadError`` or
        ``BackendIdMismatchError`` that is its own and harms no other.

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

    def reset(self, store_id: str) -> str:
        """Give a store a new, empty history, at once however long the old one; the new backend id.

        The old events are deleted by ``purge``.

        Raises:
            StoreNotFoundError: there is no such store.
        """

    def purge(self, *, max_events: int) -> int:
        """Delete up to ``max_events`` events of histories that a reset has ended; how many."""
