"""Who is waiting in this process, each with its cursor; one hub per event loop.

A commit of this process reaches its live pulls directly. What other processes commit is heard of
through hints, which may be lost; a reconcile tick compares every store that somebody waits for with
the database, so that a lost hint costs some seconds and never an event.
"""

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Sequence

from groundwork.connections import call_in_loop
from livesync.conf import get_settings
from livesync.protocol.errors import LivesyncError
from livesync.services.append import add_listener, remove_listener
from livesync.services.hints import Hint, HintBus, make_bus
from livesync.services.live_pull import LivePull, News, encode_news
from livesync.services.news_gate import NewsGate
from livesync.services.purge import purge_if_needed
from livesync.services.site import get_site
from livesync.storage import get_engine, get_readers
from livesync.storage.engine import Appended

logger = logging.getLogger(__name__)

_STORES_PER_QUERY = 500
_JITTER = 0.2  # so that many processes do not ask the database at the same instant


class Hub:
    """The live pulls of one event loop. Its methods run in that loop and never wait.

    Args:
        make_bus: builds the way to the hubs of other processes; None where there are none.
    """

    def __init__(
        self, make_bus: Callable[[Callable[[Hint], None]], HintBus | None] = make_bus
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._pulls: dict[str, set[LivePull]] = {}
        self._bus = make_bus(self.take_hint)
        if self._bus is not None:
            self._bus.on_join = self._look_again
        self._tick: asyncio.Task[None] | None = None
        self._gate = NewsGate(self._hand_out, self._look_again)
        add_listener(self._hear)

    @property
    def is_degraded(self) -> bool:
        """Whether hints to other processes fail at present; seconds old where nobody pushes."""
        return self._bus is not None and self._bus.is_degraded

    def watch_bus(self) -> None:
        """Keep ``is_degraded`` true to the facts before anybody pushes or waits here."""
        if self._bus is not None:
            self._bus.watch()

    def count(self, store_id: str | None = None) -> int:
        """Open live pulls, of one store or of all."""
        if store_id is not None:
            return len(self._pulls.get(store_id, ()))
        return sum(len(pulls) for pulls in self._pulls.values())

    def join(self, pull: LivePull) -> None:
        """Tell ``pull`` of every commit from now on; to be called before its first read."""
        pulls = self._pulls.get(pull.store_id)
        if pulls is None:
            pulls = self._pulls[pull.store_id] = set()
            if self._bus is not None:
                self._bus.join(pull.store_id)
        pulls.add(pull)
        if self._tick is None:
            self._tick = asyncio.create_task(self._tick_for_ever())

    def leave(self, pull: LivePull) -> None:
        """Tell it nothing more."""
        pulls = self._pulls.get(pull.store_id)
        if pulls is None:
            return
        pulls.discard(pull)
        if not pulls:
            del self._pulls[pull.store_id]
            if self._bus is not None:
                self._bus.leave(pull.store_id)

    def take(self, stored: Sequence[Appended]) -> None:
        """Hand what this process has committed to those who wait for it, in commit order."""
        for appended in stored:
            if not appended.batch:
                continue
            if self._bus is not None:
                self._bus.publish(Hint(appended.store_id, appended.backend_id, appended.head))
            if appended.store_id in self._pulls:
                self._offer(appended)

    def _offer(self, appended: Appended) -> None:
        see = get_site().on_pull_response
        try:
            news = encode_news(appended)
            if see is None:
                self._hand_out(news)
            else:
                self._gate.put(news, see)
        except Exception:
            # a bug: those who wait read from the database what they missed
            logger.exception("a push could not be handed to the live pulls of its store")
            self._look_again(appended.store_id)

    def _hand_out(self, news: News) -> None:
        for pull in tuple(self._pulls.get(news.store_id, ())):
            pull.offer(news)

    def take_hint(self, hint: Hint) -> None:
        """Let the live pulls of a store look at the database if they may be behind."""
        if self._gate.holds(*hint):
            return  # it is on its way to them, or they will be told to look
        for pull in tuple(self._pulls.get(hint.store_id, ())):
            pull.compare(hint.backend_id, hint.head)

    async def reconcile(self) -> None:
        """Compare every store that somebody waits for with the database."""
        store_ids = list(self._pulls)
        for start in range(0, len(store_ids), _STORES_PER_QUERY):
            some = store_ids[start : start + _STORES_PER_QUERY]
            for store_id, state in (await get_readers().run(get_engine().states, some)).items():
                self.take_hint(Hint(store_id, state.backend_id, state.head))

    async def flush(self) -> None:
        """Let the others hear of what was stored here, for a process or loop about to end."""
        if self._bus is not None:
            await self._bus.flush()

    async def stop(self) -> None:
        """Hear and tell nothing more."""
        with _lock:
            _hubs.pop(self._loop, None)
        self.forget()
        await self._gate.stop()
        if self._tick is not None:
            self._tick.cancel()
            await asyncio.gather(self._tick, return_exceptions=True)
        if self._bus is not None:
            await self._bus.stop()

    def forget(self) -> None:
        """Hear no more of commits: the loop has ended, or is about to."""
        remove_listener(self._hear)

    def hint_from_thread(self, hint: Hint) -> None:
        """``take_hint`` for callers outside of the loop."""
        call_in_loop(self._loop, self.take_hint, hint)

    def _look_again(self, store_id: str) -> None:
        # as a bus joins: another process may have pushed after the first read, before its hints
        # were heard here
        for pull in tuple(self._pulls.get(store_id, ())):
            pull.mark_dirty()

    def _hear(self, stored: Sequence[Appended]) -> None:
        call_in_loop(self._loop, self.take, stored)

    async def _tick_for_ever(self) -> None:
        while True:
            interval = get_settings().reconcile_interval_s
            await asyncio.sleep(interval * random.uniform(1 - _JITTER, 1 + _JITTER))
            try:
                await self.reconcile()
                await get_readers().run(purge_if_needed)
            except LivesyncError as error:
                logger.warning("live pulls could not be compared with the database: %s", error)
            except Exception:
                logger.exception("comparing live pulls with the database failed")


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
_lock = threading.Lock()


def get_hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = Hub()
        with _lock:
            for ended in [known for known in _hubs if known.is_closed()]:
                _hubs.pop(ended).forget()
            _hubs[loop] = hub
    return hub


def all_hubs() -> list[Hub]:
    """Every hub of this process, from any thread."""
    with _lock:
        return list(_hubs.values())
