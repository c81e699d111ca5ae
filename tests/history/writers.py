"""The clients that push."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from tests.history.clients import Client
from tests.history.events import event_of
from tests.history.history import Entry, PushAnswered, PushInvoked, Refusal
from tests.history.wire import Cursor, CutError, Link, NotSentError, RefusedError, open_http

GAP_CHANCE = 0.02
"""How often a number is not the next one: gaps are legal, as long as the chain holds."""


class Writer(Client):
    """Pushes batches on a schedule that no answer changes, and each until it is stored.

    Refused with ``ServerAheadError``, or without an answer, it reads what it has missed. If its
    batch is there it was stored after all; else it is put on the new head and pushed again.

    Args:
        batches_per_s: mean rate of the schedule; after an outage it has a backlog.
        most_events: the largest batch.
        acked: called after each acknowledgement.
        is_enough: asked before each batch.
    """

    def __init__(
        self,
        name: str,
        *,
        batches_per_s: float,
        most_events: int,
        acked: Callable[[], None],
        is_enough: Callable[[], bool],
        **client: Any,
    ) -> None:
        super().__init__(name, **client)
        self._batches_per_s = batches_per_s
        self._most_events = most_events
        self._acked = acked
        self._is_enough = is_enough
        self._seen: set[str] = set()
        self.refusal: Refusal | None = None
        """Why its last push was refused, if it was."""

    async def run(self) -> None:
        await self.catch_up()
        due = self._recorder.now()
        number = 0
        while not self._is_enough():
            due += self._random.expovariate(self._batches_per_s)
            await asyncio.sleep(max(0.0, due - self._recorder.now()))
            number += 1
            size = self._random.randint(1, self._most_events)
            await self.deliver([f"{self.name}-{number}-{index}" for index in range(size)])

    async def deliver(self, names: Sequence[str]) -> None:
        """Push events with these ids until they are stored, or the store was reset."""
        made_on = self.backend_id
        while not await self.push(self._chain(names)):
            self._seen.clear()
            await self.catch_up()
            if names[0] in self._seen or self.backend_id != made_on:
                return

    async def push(self, batch: Sequence[Entry]) -> bool:
        """One push, written down. Tells whether it was acknowledged."""
        link = await self.connected()
        op = self._begin_push(batch)
        try:
            await link.push([event_of(entry) for entry in batch], self.backend_id)
        except RefusedError as error:
            self._end_push(op, "fail", error.refusal)
            if error.refusal.tag != "ServerAheadError":
                await self._refused(error.refusal)
        except NotSentError as error:
            self._end_push(op, "fail", Refusal(tag="NotSent", note=str(error)))
            await self.lose_link()
        except (CutError, asyncio.CancelledError) as error:
            self._end_push(op, "info", note=repr(error))
            if isinstance(error, asyncio.CancelledError):
                raise
            await self.lose_link()
        else:
            self._end_push(op, "ok")
            self.cursor = Cursor(self.backend_id or "", batch[-1].seq)
            self._acked()
            return True
        return False

    def take(self, entries: Sequence[Entry], backend_id: str) -> None:
        super().take(entries, backend_id)
        self._seen.update(entry.id for entry in entries)

    def _chain(self, names: Sequence[str]) -> tuple[Entry, ...]:
        batch, parent = [], self.head
        for name in names:
            gap = self._random.randint(1, 1000) if self._random.random() < GAP_CHANCE else 0
            batch.append(Entry(name, parent + 1 + gap, parent))
            parent = batch[-1].seq
        return tuple(batch)

    def _begin_push(self, batch: Sequence[Entry]) -> int:
        op = self._recorder.next_op()
        self._recorder.write(
            PushInvoked(
                op=op,
                at=self._recorder.now(),
                client=self.name,
                server=self.server,
                store=self.store,
                backend_id=self.backend_id,
                batch=tuple(batch),
            )
        )
        return op

    def _end_push(
        self,
        op: int,
        outcome: Literal["ok", "fail", "info"],
        refusal: Refusal | None = None,
        note: str = "",
    ) -> None:
        answered = PushAnswered(
            op=op, at=self._recorder.now(), outcome=outcome, refusal=refusal, note=note
        )
        self.refusal = refusal
        self._recorder.write(answered)


class HttpWriter(Writer):
    """A writer over HTTP."""

    def dial(self) -> AbstractAsyncContextManager[Link]:
        return open_http(self.server, self.store)
