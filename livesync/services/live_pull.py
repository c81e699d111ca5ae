"""One pull over a connection that stays: stored pages first, then what comes meanwhile.

Each event goes out exactly once and in order. A live pull is registered with the hub before its
first read, so nothing can fall between the pages and the live phase: what is committed while it
reads only makes it dirty, and it goes live when a read has left it clean.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import NamedTuple, Protocol

from livesync.conf import get_settings
from livesync.protocol.chunking import cut
from livesync.protocol.events import Cursor
from livesync.protocol.pages import encode_event, encode_page
from livesync.services.pull import Page, read_pages
from livesync.storage.engine import Appended


class Outlet(Protocol):
    """Where a pull's chunks go: one request of one connection."""

    def send_chunk(self, values: str) -> None:
        """Send a chunk that holds one PullResponse; never waits."""

    def is_writable(self) -> bool:
        """Whether what is sent leaves at once; else it would pile up here."""

    async def wait_until_writable(self) -> None:
        """Return when what is sent leaves at once."""

    @property
    def turn(self) -> asyncio.Lock:
        """Held while a page is read and sent, so that one connection holds one page at a time."""

    def read_again(self) -> None:
        """Run ``LivePull.read`` in a task of its own."""


class News(NamedTuple):
    """A stored batch, encoded once for all who wait for it; ``parts`` are the chunks' items."""

    store_id: str
    backend_id: str
    parent: int
    head: int
    parts: Sequence[Sequence[str]]
    chunks: Sequence[str]
    size: int


def encode_news(appended: Appended) -> News:
    """Encode a batch as the chunks that its store's live pulls get."""
    settings = get_settings()
    events = [encode_event(event, appended.created_at) for event in appended.batch]
    pieces = list(
        cut(events, max_events=settings.page_max_events, max_bytes=settings.page_max_bytes)
    )
    parts = [events[start:stop] for start, stop, _ in pieces]
    chunks = [encode_page(part, remaining=0, backend_id=appended.backend_id) for part in parts]
    size = sum(piece.size for piece in pieces)
    return News(
        appended.store_id, appended.backend_id, appended.parent, appended.head, parts, chunks, size
    )


class LivePull:
    """Where one pull stands: its cursor, what the client has not acknowledged, and its phase.

    Everything but ``read`` is called by the event loop and never waits.

    Args:
        store_id: whose events.
        cursor: what the client has seen; None for nothing.
        outlet: where the chunks go.
        see_page: awaited with each stored page before it is sent; what it raises, the read raises.
    """

    __slots__ = (
        "_acked",
        "_has_answered",
        "_is_dirty",
        "_is_live",
        "_outlet",
        "_see_page",
        "_unacked",
        "_waits_since",
        "backend_id",
        "seq_num",
        "store_id",
    )

    def __init__(
        self,
        store_id: str,
        cursor: Cursor | None,
        outlet: Outlet,
        *,
        see_page: Callable[[Page], Awaitable[None]] | None = None,
    ) -> None:
        self.store_id = store_id
        self.backend_id = cursor.backend_id if cursor else None
        self.seq_num = cursor.seq_num if cursor else 0
        self._waits_since: float | None = None
        self._outlet = outlet
        self._see_page = see_page
        self._is_live = False
        self._is_dirty = True
        self._has_answered = False
        self._unacked: list[int] = []
        self._acked: asyncio.Future[None] | None = None

    async def read(self) -> None:
        """Send stored pages until none is left and nothing came meanwhile; then go live.

        Raises:
            BackendIdMismatchError: the store has another history than the client knows.
            StorageUnavailableError: the database is out of reach.
        """
        while self._is_dirty:
            # first: a client that takes nothing must not hold pages here
            await self._wait_for_acks()
            self._is_dirty = False
            await self._send_pages()
        self._is_live = True  # no await between the check and the switch

    async def read_once(self) -> None:
        """Send the stored pages and wait until the client has taken the last one."""
        await self._send_pages()
        await self._wait_for_acks()

    def offer(self, news: News) -> None:
        """Take a batch that was just stored: send it on if it continues what was sent."""
        if not self._is_live or news.backend_id != self.backend_id:
            self.mark_dirty()
        elif self.seq_num >= news.head:
            return
        elif self.seq_num == news.parent and self._has_room(news):
            for values in news.chunks:
                self._send(values, news.size // len(news.chunks))
            self.seq_num = news.head
        else:
            self.mark_dirty()

    def compare(self, backend_id: str, head: int) -> None:
        """Take a hint that the store stands at ``head``; it may be late, doubled or wrong."""
        if backend_id != self.backend_id or head > self.seq_num:
            self.mark_dirty()

    def mark_dirty(self) -> None:
        """Read from the log what may be there beyond what was sent."""
        self._is_dirty = True
        if self._is_live:
            self._is_live = False
            self._outlet.read_again()

    def ack(self) -> None:
        """The client has taken one chunk."""
        if self._unacked:
            self._unacked.pop(0)
        self._waits_since = time.monotonic() if self._unacked else None
        if not self._unacked and self._acked is not None and not self._acked.done():
            self._acked.set_result(None)

    def is_stalled(self, now: float, timeout_s: float) -> bool:
        """Whether a chunk has waited for its Ack since more than ``timeout_s`` before ``now``."""
        return self._waits_since is not None and now - self._waits_since > timeout_s

    async def _send_pages(self) -> None:
        async with aclosing(read_pages(self.store_id, self.backend_id, self.seq_num)) as pages:
            page: Page | None = None
            while page is None or page.remaining:
                # before more is read: what a client does not take must not wait here
                await self._wait_for_acks()
                async with self._outlet.turn:
                    await self._outlet.wait_until_writable()
                    page = await anext(pages)
                    if self._has_answered and page.last_seq_num == self.seq_num:
                        return  # nothing new; only the first read answers with an empty page
                    if self._see_page is not None:
                        await self._see_page(page)
                    self._send_page(page)

    def _send_page(self, page: Page) -> None:
        self._send(page.text, page.size)
        self._has_answered = True
        self.backend_id = page.backend_id
        self.seq_num = page.last_seq_num

    def _send(self, values: str, size: int) -> None:
        self._outlet.send_chunk(values)
        self._unacked.append(size)
        if self._waits_since is None:
            self._waits_since = time.monotonic()

    def _has_room(self, news: News) -> bool:
        if not self._outlet.is_writable():
            return False
        if not self._unacked:
            return True
        settings = get_settings()
        return (
            len(self._unacked) + len(news.chunks) <= settings.live_window_chunks
            and sum(self._unacked) + news.size <= settings.live_window_bytes
        )

    async def _wait_for_acks(self) -> None:
        while self._unacked:
            self._acked = asyncio.get_running_loop().create_future()
            await self._acked
        self._acked = None
