"""What every reader of a file gives: who the store is, then its events, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from livesync.storage.engine import TimedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is known of a store before its events are read.

    Attributes:
        kind: what the file is, for people.
        store_id: as the file says; None where it does not.
        backend_id: the history's identity; None where the file does not say.
        event_count: how many events there must be; None where the file does not say.
        head: number of the last event there must be; None where the file does not say.
        notes: what the person who imports has to know, each a sentence.
    """

    kind: str
    store_id: str | None = None
    backend_id: str | None = None
    event_count: int | None = None
    head: int | None = None
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """A file of events, opened for reading; it is read once, from front to back."""

    origin: Origin
    has_times: bool
    """Whether all events so far said when they were stored; for one that does not it is guessed."""

    def events(self) -> Iterator[TimedEvent]:
        """The events, oldest first: sound, and an unbroken chain that starts at 0.

        Raises:
            FileRefusedError: the file is damaged, or an event in it is not sound.
        """

    def share_read(self) -> float:
        """How much of the file has been read, from 0 to 1."""
