"""A LiveStore client for code on an event loop."""

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

from livesync.client.address import Address, Headers
from livesync.client.events import Author, Page
from livesync.client.link import Link
from livesync.client.pusher import AnyDraft, Pusher, Rebase
from livesync.client.reader import After, OnReset, Reader
from livesync.protocol.answers import PulledEvent
from livesync.protocol.events import Cursor


class AsyncClient:
    """One store of a sync server, or of this Django process.

    It connects when it is first used, and again whenever it was cut. It may be used by any number
    of tasks of one event loop; their pushes are stored in the order of the calls. An ``async
    with`` closes it.

    Args:
        store_id: the store.
        url: of the server: ``ws://`` or ``wss://`` for a WebSocket, ``http://`` or ``https://`` for
            HTTP. None: the store is in the database of this Django process.
        payload: what the server validates, any JSON but null; or a function that gives it whenever
            a connection is made.
        headers: such as ``{"Authorization": "Bearer ..."}``; or a function that gives them.
        client_id: stands in every event that is pushed; at random by default. The session id
            beside it is always at random.
        timeout_s: how long a call goes on trying while no answer comes; None: for ever.
        poll_interval_s: over HTTP, how often a live pull asks.
        ping_interval_s: over a WebSocket, how often to ask for a sign of life.
        ssl_context: None: the system's certificates.

    Raises:
        ValueError: the URL cannot be one of a sync server.
    """

    def __init__(
        self,
        store_id: str,
        url: str | None = None,
        *,
        payload: Any = None,
        headers: Headers | None = None,
        client_id: str | None = None,
        timeout_s: float | None = 30.0,
        poll_interval_s: float = 5.0,
        ping_interval_s: float = 10.0,
        ssl_context: SSLContext | None = None,
    ) -> None:
        self.store_id = store_id
        link = _make_link(
            store_id,
            url,
            payload=payload,
            headers=headers or {},
            poll_interval_s=poll_interval_s,
            ping_interval_s=ping_interval_s,
            ssl_context=ssl_context,
        )
        author = Author(client_id or secrets.token_urlsafe(15), secrets.token_urlsafe(15))
        self._link = link
        self._reader = Reader(link, store_id, timeout_s=timeout_s)
        self._pusher = Pusher(link, self._reader, author, timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End what is under way, with ``ClosedError``, and let go of the connection."""
        self._reader.pacer.pause.end()
        await self._link.close()

    async def backend_id(self) -> str:
        """The identity of the history that the store has now; makes the store if there is none."""
        return await self._reader.backend_id()

    async def push(
        self,
        drafts: Sequence[AnyDraft],
        *,
        after: After = None,
        rebase: Rebase | None = None,
    ) -> Cursor:
        """Store events, in their order, and return when they are on the server's disk.

        They go in batches of at most 100 events and 900,000 bytes, one after the other. A batch
        whose answer was lost is never stored twice: it is sent again as it was, and when the store
        has gone on, what is stored is compared with it.

        Args:
            drafts: one or more events, each a name and its args.
            after: what they were made on. None: whatever the store holds; they are put behind it.
            rebase: called when the store has gone on beyond ``after``, with the drafts that are
                not stored and the events that came between; gives the drafts to push instead, none
                to push nothing. Without it that is a ``ServerAheadError``.

        Returns:
            The cursor behind the last event stored, or read for ``rebase``.

        Raises:
            ServerAheadError: the store has gone on beyond ``after``. What came before in the same
                call is stored.
            BackendIdMismatchError: ``after`` is of another history.
            InvalidBatchError: an event is too large, or not to be stored.
            UnreachableError: there was no answer in time; nothing is stored.
            InDoubtError: the same, but the last batch may be stored.
            AccessRefusedError, RemoteError, WrongAnswerError: the server said no, or nonsense.
        """
        return await self._pusher.push(drafts, after, rebase)

    async def pull(self, after: After = None) -> list[PulledEvent]:
        """Everything that is stored behind ``after``, at once.

        Raises:
            BackendIdMismatchError: ``after`` is of another history.
            UnreachableError: no answer came for ``timeout_s``.
            AccessRefusedError, RemoteError, WrongAnswerError: the server said no, or nonsense.
        """
        async with aclosing(self.pull_pages(after)) as pages:
            return [event async for page in pages for event in page.events]

    def pull_pages(self, after: After = None) -> AsyncGenerator[Page, None]:
        """The same page by page, one at least; raises as ``pull``."""
        return self._reader.stored(after)

    async def live(
        self, after: After = None, *, on_reset: OnReset | None = None
    ) -> AsyncGenerator[PulledEvent, None]:
        """Everything behind ``after``, stored or still to come: each event once, in order.

        It never ends by itself. While the server is away it waits for its return, however long.

        Args:
            after: what was seen before; None: nothing.
            on_reset: called with the new backend id when the store was reset or is another one
                than ``after`` says, before it goes on from the start of the new history. What was
                made from the old one is void then. Without it that is an error.

        Raises:
            BackendIdMismatchError: the store has another history.
            AccessRefusedError, RemoteError, WrongAnswerError: the server said no, or nonsense.
            ClosedError: the client was closed.
        """
        async with aclosing(self.live_pages(after, on_reset=on_reset)) as pages:
            async for page in pages:
                for event in page.events:
                    yield event

    def live_pages(
        self, after: After = None, *, on_reset: OnReset | None = None
    ) -> AsyncGenerator[Page, None]:
        """The same page by page; the first may be empty. Nothing is stored beyond a page that has
        no ``remaining``.
        """
        return self._reader.live(after, on_reset)

    def check_caller(self) -> None:
        """Refuse a thread that must not wait for this client; ``Client`` asks for each call.

        Raises:
            InsideTransactionError: it holds a transaction on the database that the client needs.
        """
        self._link.check_caller()


def _make_link(
    store_id: str,
    url: str | None,
    *,
    payload: Any,
    headers: Headers,
    poll_interval_s: float,
    ping_interval_s: float,
    ssl_context: SSLContext | None,
) -> Link:
    if url is None:
        # only now: it needs Django and its settings
        from livesync.client.in_process_link import InProcessLink

        return InProcessLink(store_id)
    address = Address(url, store_id, payload=payload, headers=headers)
    if address.is_websocket:
        from livesync.client.websocket_link import WebSocketLink

        return WebSocketLink(address, ssl_context=ssl_context, ping_interval_s=ping_interval_s)
    from livesync.client.http_link import HttpLink

    return HttpLink(address, ssl_context=ssl_context, poll_interval_s=poll_interval_s)
