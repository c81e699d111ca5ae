"""Where a hook of the site sees what was just pushed, before the live pulls get it.

Only sites that override ``on_pull_response`` have it; elsewhere news goes out at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from livesync.conf import get_settings
from livesync.protocol.errors import LivesyncError
from livesync.protocol.responses import PullResponse
from livesync.services.live_pull import News
from livesync.services.site import Hook

logger = logging.getLogger(__name__)


class NewsGate:
    """Lets a hook see the news of each store in their order; stores wait for none but themselves.

    Args:
        hand_out: called with news that the hook has let through.
        hold_back: called with a store whose live pulls have to look at the database instead,
            because the hook refused or because too much waits for it.
    """

    def __init__(self, hand_out: Callable[[News], None], hold_back: Callable[[str], None]) -> None:
        self._hand_out = hand_out
        self._hold_back = hold_back
        self._waiting: dict[str, deque[News]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, news: News, see: Hook) -> None:
        """Show ``news`` to the hook ``see`` behind what waits of that store."""
        waiting = self._waiting.get(news.store_id)
        if waiting is None:
            waiting = self._waiting[news.store_id] = deque()
            task = asyncio.get_running_loop().create_task(self._let_through(news.store_id, see))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting.append(news)
        if _is_too_much(waiting):
            waiting.clear()
            self._hold_back(news.store_id)

    def holds(self, store_id: str, backend_id: str, head: int) -> bool:
        """Whether news that reaches up to ``head`` of this history waits here."""
        return any(
            news.backend_id == backend_id and news.head >= head
            for news in self._waiting.get(store_id, ())
        )

    async def stop(self) -> None:
        """Let nothing more through."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _let_through(self, store_id: str, see: Hook) -> None:
        waiting = self._waiting[store_id]
        try:
            while waiting:
                news = waiting[0]
                await self._show(news, see)
                if waiting and waiting[0] is news:
                    waiting.popleft()
        finally:
            del self._waiting[store_id]

    async def _show(self, news: News, see: Hook) -> None:
        try:
            for items in news.parts:
                await see(PullResponse(news.store_id, news.backend_id, items), None)
            self._hand_out(news)
        except LivesyncError:
            self._hold_back(news.store_id)
        except Exception:
            logger.exception("a push could not be handed to the live pulls of its store")
            self._hold_back(news.store_id)


def _is_too_much(waiting: deque[News]) -> bool:
    settings = get_settings()
    return len(waiting) > 1 and (
        sum(len(news.chunks) for news in waiting) > settings.live_window_chunks
        or sum(news.size for news in waiting) > settings.live_window_bytes
    )
