"""The same client for code without an event loop: scripts, commands, Django's views."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from livesync.client.async_client import AsyncClient
from livesync.client.background import Background, Caller
from livesync.client.errors import ClosedError
from livesync.client.events import Page
from livesync.client.pusher import AnyDraft, Rebase
from livesync.client.reader import After, OnReset
from livesync.protocol.answers import PulledEvent
from livesync.protocol.events import Cursor

T = TypeVar("T")


class Client:
    """``AsyncClient`` for callers that wait: its arguments, methods and errors are the same.

    It may be used from any thread, by several at once, and inside a Django request, but not on an
    event loop. Its work is done in one thread that all clients of the process share, and that ends
    when the last of them is closed. A ``with`` closes it.

    A client in process (without a URL) refuses with ``InsideTransactionError`` a caller that holds
    a transaction on livesync's database: what it stores could not be undone with that transaction,
    and might have to wait for its end.
    """

    def __init__(self, store_id: str, url: str | None = None, **options: Any) -> None:
        self.store_id = store_id
        self._is_closed = False
        self._client = AsyncClient(store_id, url, **options)
        self._background = Background.borrow()
        if url is None:
            from livesync.client.in_process_link import stop_hub

            self._background.at_end(stop_hub)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """As ``AsyncClient.close``; the second time it does nothing."""
        if not self._is_closed:
            self._is_closed = True
            try:
                self._background.run(self._client.close())
            finally:
                self._background.give_back()

    def backend_id(self) -> str:
        """As ``AsyncClient.backend_id``."""
        self._check()
        return self._background.run(self._client.backend_id())

    def push(
        self, drafts: Sequence[AnyDraft], *, after: After = None, rebase: Rebase | None = None
    ) -> Cursor:
        """As ``AsyncClient.push``; ``rebase`` is called in this thread."""
        self._check()
        caller = Caller(self._background)
        lent = None if rebase is None else caller.lend(rebase)
        return caller.run(self._client.push(drafts, after=after, rebase=lent))

    def pull(self, after: After = None) -> list[PulledEvent]:
        """As ``AsyncClient.pull``."""
        self._check()
        return self._background.run(self._client.pull(after))

    def pull_pages(self, after: After = None) -> Iterator[Page]:
        """As ``AsyncClient.pull_pages``."""
        return self._iterate(self._client.pull_pages(after), Caller(self._background))

    def live(
        self, after: After = None, *, on_reset: OnReset | None = None
    ) -> Iterator[PulledEvent]:
        """As ``AsyncClient.live``. To stop, leave the loop, or close the client from elsewhere."""
        for page in self.live_pages(after, on_reset=on_reset):
            yield from page.events

    def live_pages(self, after: After = None, *, on_reset: OnReset | None = None) -> Iterator[Page]:
        """As ``AsyncClient.live_pages``."""
        caller = Caller(self._background)
        lent = None if on_reset is None else caller.lend(on_reset)
        return self._iterate(self._client.live_pages(after, on_reset=lent), caller)

    def _check(self) -> None:
        if self._is_closed:
            raise ClosedError
        self._client.check_caller()

    def _iterate(self, pages: AsyncGenerator[Page, None], caller: Caller) -> Iterator[Page]:
        turn = asyncio.Lock()
        try:
            while True:
                self._check()
                page = caller.run(_next(pages, turn))
                if page is None:
                    return
                yield page
        finally:
            if not self._is_closed:
                self._background.run(_close(pages, turn))


async def _next(pages: AsyncGenerator[Page, None], turn: asyncio.Lock) -> Page | None:
    async with turn:
        return await anext(pages, None)


async def _close(pages: AsyncGenerator[Page, None], turn: asyncio.Lock) -> None:
    async with turn:  # a step that Ctrl+C has interrupted is still on its way out
        await pages.aclose()
