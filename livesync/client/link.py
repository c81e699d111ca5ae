"""What a client needs of the way to its store, be it a socket, HTTP requests or this process."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

from livesync.protocol.answers import PulledPage
from livesync.protocol.events import Cursor, Event

Sent = Callable[[], None]


class Link(Protocol):
    """A way to one store. Each call is one attempt; what is lost may be tried again.

    Any call raises, besides what it says:
        LostError: there is no connection, or it has ended.
        AccessRefusedError: the server does not let this client in.
        WrongAnswerError: what came is not the protocol.
        RemoteError: the server has refused the request.
    """

    async def push(self, batch: Sequence[Event], backend_id: str, sent: Sent) -> None:
        """Return when the batch is stored.

        Args:
            batch: events that form a chain.
            backend_id: the history they were made on.
            sent: called before the server can know of the batch. From then on it may be stored,
                unless a refusal says that it is not.

        Raises:
            ServerAheadError: the store's head is another one than the batch's first parent.
            BackendIdMismatchError: the store has another history.
        """

    def pull(self, cursor: Cursor | None, *, live: bool) -> AsyncGenerator[PulledPage, None]:
        """The pages after ``cursor``, at least one; if ``live``, what comes as well, for ever.

        Raises:
            BackendIdMismatchError: the store has another history.
        """

    async def close(self) -> None:
        """End everything that is open, and let go of the connection."""

    def check_caller(self) -> None:
        """Refuse a thread that must not wait for this link; for callers outside of the loop."""
