"""Reading a store: from a cursor on, over however many links it takes."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from livesync.client.errors import LostError, UnreachableError, WrongAnswerError
from livesync.client.events import GapError, Page, follow
from livesync.client.link import Link
from livesync.client.pacer import Pacer
from livesync.protocol.answers import PulledPage
from livesync.protocol.errors import BackendIdMismatchError
from livesync.protocol.events import Cursor

After = Cursor | int | None
"""A place in a store: a cursor, or a number in the history that the store has now."""

OnReset = Callable[[str], Awaitable[None] | None]
"""Called with the new backend id of a store."""

_FIRST_PAGE_S = 60.0
_NO_HISTORY = Cursor("-", 0)  # no server makes such a backend id


class Reader:
    """Reads one store.

    Args:
        link: the way to it.
        store_id: its name, for the log.
        timeout_s: how long to go on while no answer comes; None: for ever.
    """

    def __init__(self, link: Link, store_id: str, *, timeout_s: float | None) -> None:
        self.pacer = Pacer(store_id)
        self._link = link
        self._timeout_s = timeout_s

    async def backend_id(self) -> str:
        """The identity of the store's present history.

        Asked for with a cursor of no history, so that the answer holds no events.

        Raises:
            UnreachableError: no answer came in time.
        """
        try:
            async with aclosing(self._persistent(_NO_HISTORY)) as pages:
                return (await anext(pages)).cursor.backend_id
        except BackendIdMismatchError as error:
            return error.expected

    async def cursor(self, after: After) -> Cursor | None:
        """A place as a cursor; None is the start of whatever history there is."""
        if isinstance(after, int):
            return Cursor(await self.backend_id(), after)
        return after

    async def stored(self, after: After) -> AsyncGenerator[Page, None]:
        """What is stored behind ``after``, page by page, one at least."""
        cursor = await self.cursor(after)
        is_first = True
        async with aclosing(self._persistent(cursor)) as pages:
            async for page in pages:
                if page.events or is_first:
                    is_first = False
                    yield page

    async def live(self, after: After, on_reset: OnReset | None) -> AsyncGenerator[Page, None]:
        """The same, and then what comes, for ever."""
        cursor = await self.cursor(after)
        is_first = True
        while True:
            try:
                async with aclosing(self._attempts(cursor, live=True)) as pages:
                    async for page in pages:
                        cursor = page.cursor
                        if page.events or is_first:
                            is_first = False
                            yield page
            except BackendIdMismatchError as error:
                if on_reset is None:
                    raise
                await _call(on_reset, error.expected)
                cursor, is_first = None, True

    async def _persistent(self, cursor: Cursor | None) -> AsyncGenerator[Page, None]:
        """A pull that is not live, continued when it was lost, until nobody answers in time."""
        async with aclosing(self._attempts(cursor, live=False)) as pages:
            while True:
                try:
                    async with asyncio.timeout(self._timeout_s):
                        page = await anext(pages)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    reason = self.pacer.last_reason or "no answer came"
                    raise UnreachableError(
                        f"no answer in {self._timeout_s:g} s: {reason}"
                    ) from None
                yield page

    async def _attempts(self, cursor: Cursor | None, *, live: bool) -> AsyncGenerator[Page, None]:
        """Pages behind ``cursor``, pulled again from where they broke off."""
        gap_at: Cursor | str | None = "nowhere"
        while True:
            await self.pacer.turn()
            try:
                async with aclosing(self._link.pull(cursor, live=live)) as pages:
                    async for pulled in _beginning(pages):
                        page = follow(cursor, pulled)
                        self.pacer.worked()
                        cursor = page.cursor
                        yield page
                if not live:
                    return
                self.pacer.failed(LostError("the server has ended a live pull"))
            except GapError:
                # once may be a batch that overtook another; the store itself would not change
                if gap_at == cursor:
                    raise
                gap_at = cursor
            except LostError as error:
                self.pacer.failed(error)


async def _call(on_reset: OnReset, backend_id: str) -> None:
    done = on_reset(backend_id)
    if inspect.isawaitable(done):
        await done


async def _beginning(pages: AsyncGenerator[PulledPage, None]) -> AsyncGenerator[PulledPage, None]:
    """The pages, of which the first one must come in time, be the pull live or not."""
    try:
        async with asyncio.timeout(_FIRST_PAGE_S):
            first = await anext(pages)
    except TimeoutError:
        raise LostError(f"no page in {_FIRST_PAGE_S:g} s") from None
    except StopAsyncIteration:
        raise WrongAnswerError("a pull without a page") from None
    yield first
    async for page in pages:
        yield page
