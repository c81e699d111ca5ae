"""Pushing to a store: in batches, one after the other, each stored once whatever is cut."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

from livesync.client.errors import (
    AccessRefusedError,
    InDoubtError,
    LostError,
    UnreachableError,
    WrongAnswerError,
)
from livesync.client.events import Author, Draft, is_same_event, number_drafts, open_draft
from livesync.client.link import Link
from livesync.client.reader import After, Reader
from livesync.protocol.answers import PulledEvent
from livesync.protocol.errors import BackendIdMismatchError, RemoteError, ServerAheadError
from livesync.protocol.events import Cursor, Event

AnyDraft = Draft | tuple[str, Any] | tuple[str]

Rebase = Callable[
    [Sequence[AnyDraft], Sequence[PulledEvent]],
    Sequence[AnyDraft] | Awaitable[Sequence[AnyDraft]],
]
"""From the drafts that are not stored and the events that came between to the drafts instead."""


class Pusher:
    """Pushes to one store.

    Args:
        link: the way to it.
        reader: of the same store.
        author: who pushes.
        timeout_s: how long to go on while no answer comes; None: for ever.
    """

    def __init__(
        self, link: Link, reader: Reader, author: Author, *, timeout_s: float | None
    ) -> None:
        self._link = link
        self._reader = reader
        self._author = author
        self._timeout_s = timeout_s
        self._in_order = asyncio.Lock()
        self._head: Cursor | None = None

    async def push(self, drafts: Sequence[AnyDraft], after: After, rebase: Rebase | None) -> Cursor:
        """As ``AsyncClient.push``."""
        if rebase is not None and after is None:
            raise ValueError("rebase needs after: without it there is nothing to be rebased from")
        texts = [open_draft(draft) for draft in drafts]
        async with self._in_order:
            if after is None:
                return await self._append(texts)
            cursor = await self._reader.cursor(after)
            assert cursor is not None
            return await self._push_after(cursor, list(drafts), rebase)

    async def _append(self, texts: "list[_Text]") -> Cursor:
        """Put the events behind whatever the store holds."""
        head = self._head or Cursor(await self._reader.backend_id(), 0)
        histories = {head.backend_id}
        while texts:
            try:
                head = await self._push_some(texts, head)
            except ServerAheadError as error:
                if error.expected == head.seq_num:
                    raise WrongAnswerError(f"the server refuses its own head: {error}") from error
                head = Cursor(head.backend_id, error.expected)
            except BackendIdMismatchError as error:
                if error.expected in histories:
                    raise
                histories.add(error.expected)
                head = Cursor(error.expected, 0)  # the store was reset since its head was learnt
            self._head = head
        return head

    async def _push_after(
        self, cursor: Cursor, drafts: "list[AnyDraft]", rebase: Rebase | None
    ) -> Cursor:
        texts = [open_draft(draft) for draft in drafts]
        while texts:
            try:
                cursor = await self._push_some(texts, cursor)
                self._head = cursor
            except ServerAheadError as error:
                if rebase is None or error.expected < cursor.seq_num:
                    raise
                newer = await self._newer(cursor)
                if not newer:
                    raise
                left = drafts[len(drafts) - len(texts) :]
                drafts = list(await _call(rebase, left, newer))
                texts = [open_draft(draft) for draft in drafts]
                cursor = newer[-1].cursor
        return cursor

    async def _newer(self, cursor: Cursor) -> list[PulledEvent]:
        async with aclosing(self._reader.stored(cursor)) as pages:
            return [event async for page in pages for event in page.events]

    async def _push_some(self, texts: "list[_Text]", cursor: Cursor) -> Cursor:
        """Store the first drafts behind ``cursor``, and take them out of ``texts``."""
        batch = number_drafts(texts, cursor.seq_num, self._author)
        await self._store(batch, cursor)
        del texts[: len(batch)]
        return Cursor(cursor.backend_id, batch[-1].seq_num)

    async def _store(self, batch: Sequence[Event], cursor: Cursor) -> None:
        """Return when the batch is stored, once.

        An attempt whose answer was lost may have stored it, or may still do so while we try again.
        As every attempt says the same numbers and history, the store takes one of them at most: the
        next is told that the store is ahead, and it is our own events that it is ahead by.
        """
        attempts = _Attempts(self._timeout_s)
        while True:
            try:
                async with asyncio.timeout_at(attempts.give_up_at):
                    await self._reader.pacer.turn()
                    await self._attempt(batch, cursor, attempts)
                self._reader.pacer.worked()
                return
            except LostError as error:
                self._reader.pacer.failed(error)
            except TimeoutError:
                raise attempts.failure(self._reader.pacer.last_reason) from None
            except ServerAheadError:
                if attempts.are_in_doubt and await self._is_stored(batch, cursor, attempts):
                    return
                raise
            except (AccessRefusedError, RemoteError, WrongAnswerError) as error:
                if attempts.are_in_doubt:
                    raise InDoubtError(f"the push has no answer: {error}") from error
                raise

    async def _attempt(self, batch: Sequence[Event], cursor: Cursor, attempts: "_Attempts") -> None:
        were_in_doubt = attempts.are_in_doubt
        try:
            await self._link.push(batch, cursor.backend_id, attempts.sent)
        except (
            AccessRefusedError,
            BackendIdMismatchError,
            RemoteError,
            ServerAheadError,
        ) as error:
            attempts.are_in_doubt = were_in_doubt  # of this attempt we know
            if isinstance(error, RemoteError) and error.may_pass:
                raise LostError(str(error)) from error
            raise

    async def _is_stored(
        self, batch: Sequence[Event], cursor: Cursor, attempts: "_Attempts"
    ) -> bool:
        left = list(batch)
        try:
            async with aclosing(self._reader.stored(cursor)) as pages:
                async for page in pages:
                    for event in page.events:
                        if not is_same_event(event, left.pop(0)):
                            return False
                        if not left:
                            return True
        except UnreachableError as error:
            raise InDoubtError(str(error)) from error
        return False


_Text = tuple[str, str | None]


class _Attempts:
    """The attempts at one batch: how long they may go on, and whether one may have stored it."""

    def __init__(self, timeout_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        self.are_in_doubt = False
        self.give_up_at = None if timeout_s is None else loop.time() + timeout_s
        self._timeout_s = timeout_s

    def sent(self) -> None:
        """From here on nobody knows, until there is an answer."""
        self.are_in_doubt = True

    def failure(self, reason: str | None) -> UnreachableError | InDoubtError:
        """What to tell when the time is up."""
        text = f"no answer in {self._timeout_s:g} s: {reason or 'none came'}"
        return InDoubtError(text) if self.are_in_doubt else UnreachableError(text)


async def _call(
    rebase: Rebase, drafts: Sequence[AnyDraft], newer: Sequence[PulledEvent]
) -> Sequence[AnyDraft]:
    rebased = rebase(drafts, newer)
    return await rebased if inspect.isawaitable(rebased) else rebased
