"""What the clients of the workload share, and those of them that only read.

Each writes down what it asked and what it was told. A client keeps one connection, redials some
server shortly after it was cut, and goes on from what it has seen.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Any, Literal

from tests.history.events import entry_of
from tests.history.history import (
    Entry,
    FinalLog,
    PageReceived,
    PullEnded,
    PullInvoked,
    Recorder,
    Refusal,
)
from tests.history.wire import (
    Cursor,
    CutError,
    Link,
    Page,
    RefusedError,
    open_http,
    open_websocket,
)

FIRST_BACKOFF_S = 0.02
LONGEST_BACKOFF_S = 0.5

LONGEST_WAY_BACK = 20_000
"""How far from the head, in numbers, a poller reads again; some thousand events at most."""


class Client(ABC):
    """What all clients do: stay connected, read, remember.

    Args:
        name: unique in the run.
        urls: the servers to choose from, each time it dials.
        store: the store id.
        seed: decides everything that this client leaves to chance.
    """

    def __init__(
        self, name: str, *, urls: Sequence[str], store: str, recorder: Recorder, seed: str
    ) -> None:
        self.name = name
        self.store = store
        self.cursor: Cursor | None = None
        self.backend_id: str | None = None
        self.server = ""
        self.is_over = False
        """Whether nothing more will be pushed and it has had the time to see everything."""
        self._urls = urls
        self._recorder = recorder
        self._random = random.Random(f"{seed} {name}")
        self._connection = AsyncExitStack()
        self._link: Link | None = None
        self._failures = 0

    @property
    def head(self) -> int:
        """The number of the last event it has seen; 0 when there was none."""
        return self.cursor.seq if self.cursor else 0

    @abstractmethod
    async def run(self) -> None:
        """Work until the run is over or the task is cancelled."""

    def dial(self) -> AbstractAsyncContextManager[Link]:
        """A new link to ``server``."""
        return open_websocket(self.server, self.store)

    async def close(self) -> None:
        """Hang up."""
        self._link = None
        await self._connection.aclose()

    async def connected(self) -> Link:
        """The present link, or a new one as soon as a server takes it."""
        while self._link is None:
            self.server = self._random.choice(self._urls)
            try:
                link = await self._connection.enter_async_context(self.dial())
            except CutError:
                await self.back_off()
            else:
                self._link = link
        return self._link

    async def lose_link(self) -> None:
        """Give up the link after a cut, and wait a little."""
        await self.close()
        await self.back_off()

    async def back_off(self) -> None:
        """Wait longer with each failure, at most half a second."""
        longest = min(FIRST_BACKOFF_S * 2**self._failures, LONGEST_BACKOFF_S)
        self._failures += 1
        await asyncio.sleep(longest * self._random.uniform(0.5, 1))

    def forget(self) -> None:
        """Start over: the store has another history now, and what was not stored is lost."""
        self.cursor = self.backend_id = None

    async def catch_up(self) -> None:
        """Read everything after the cursor, however often it takes."""
        while not await self.pull(self.cursor):
            pass

    async def pull(self, cursor: Cursor | None, *, live: bool = False) -> bool:
        """One pull, written down. Tells whether it came to a good end."""
        link = await self.connected()
        op = self._begin_pull(cursor, live=live)
        try:
            async with aclosing(link.pull(cursor, live=live)) as pages:
                await self._take_all(op, pages)
        except RefusedError as error:
            self._end_pull(op, "fail", error.refusal)
            await self._refused(error.refusal)
        except CutError as error:
            self._end_pull(op, "cut", note=str(error))
            await self.lose_link()
        except asyncio.CancelledError:
            self._end_pull(op, "final" if live and self.is_over else "cut")
            raise
        else:
            self._end_pull(op, "ok")
            self._failures = 0
            return True
        return False

    async def _take_all(self, op: int, pages: AsyncGenerator[Page, None]) -> None:
        async for page in pages:
            entries = tuple(entry_of(event) for event in page.events)
            self._recorder.write(
                PageReceived(
                    op=op,
                    at=self._recorder.now(),
                    backend_id=page.backend_id,
                    entries=entries,
                    last=page.last,
                )
            )
            self._failures = 0
            self.take(entries, page.backend_id)

    def take(self, entries: Sequence[Entry], backend_id: str) -> None:
        """Remember what arrived."""
        self.backend_id = backend_id
        if entries and entries[-1].seq > self.head:
            self.cursor = Cursor(backend_id, entries[-1].seq)

    async def _refused(self, refusal: Refusal) -> None:
        if refusal.tag == "BackendIdMismatchError":
            self.forget()
        else:
            await self.back_off()

    def _begin_pull(self, cursor: Cursor | None, *, live: bool) -> int:
        op = self._recorder.next_op()
        self._recorder.write(
            PullInvoked(
                op=op,
                at=self._recorder.now(),
                client=self.name,
                server=self.server,
                store=self.store,
                live=live,
                cursor=cursor.seq if cursor else None,
                backend_id=cursor.backend_id if cursor else None,
            )
        )
        return op

    def _end_pull(
        self,
        op: int,
        outcome: Literal["ok", "fail", "cut", "final"],
        refusal: Refusal | None = None,
        note: str = "",
    ) -> None:
        ended = PullEnded(
            op=op, at=self._recorder.now(), outcome=outcome, refusal=refusal, note=note
        )
        self._recorder.write(ended)


class LiveReader(Client):
    """Keeps a live pull open, and opens it again after its cursor when it was cut."""

    def __init__(self, name: str, **client: Any) -> None:
        super().__init__(name, **client)
        self._moved = asyncio.Event()

    async def run(self) -> None:
        while True:
            await self.pull(self.cursor, live=True)

    def take(self, entries: Sequence[Entry], backend_id: str) -> None:
        super().take(entries, backend_id)
        self._moved.set()

    async def reach(self, cursor: Cursor) -> None:
        """Wait until it has seen the store up to ``cursor``."""
        while self.backend_id != cursor.backend_id or self.head < cursor.seq:
            self._moved.clear()
            await self._moved.wait()


class Poller(Client):
    """Reads over HTTP again and again: mostly what is new, now and then something old.

    Args:
        interval_s: mean time between two reads.
        is_enough: asked after each read.
    """

    def __init__(
        self, name: str, *, interval_s: float, is_enough: Callable[[], bool], **client: Any
    ) -> None:
        super().__init__(name, **client)
        self._interval_s = interval_s
        self._is_enough = is_enough

    def dial(self) -> AbstractAsyncContextManager[Link]:
        return open_http(self.server, self.store)

    async def run(self) -> None:
        while not self._is_enough():
            await self.catch_up()
            if self.cursor and self._random.random() < 0.2:
                await self.pull(self._older(self.cursor))
            await asyncio.sleep(self._random.expovariate(1 / self._interval_s))
        await self.catch_up()

    def _older(self, cursor: Cursor) -> Cursor:
        # not much older: a long run would end up reading its whole log again and again
        back = self._random.randint(0, LONGEST_WAY_BACK)
        return Cursor(cursor.backend_id, max(0, cursor.seq - back))


class FinalReader(Client):
    """Reads a store from its start when all is over."""

    def __init__(self, name: str, **client: Any) -> None:
        super().__init__(name, **client)
        self.entries: list[Entry] = []

    @property
    def log(self) -> FinalLog:
        """What it has read."""
        return FinalLog(
            store=self.store, backend_id=self.backend_id or "", entries=tuple(self.entries)
        )

    async def run(self) -> None:
        while not await self.pull(None):
            self.entries.clear()

    def take(self, entries: Sequence[Entry], backend_id: str) -> None:
        super().take(entries, backend_id)
        self.entries.extend(entries)
