"""Histories of a store that does everything right, made from a seed without any server.

Clients are generators that yield how long they wait; what happens between two yields happens
at one instant. So a push takes effect somewhere between its invocation and its answer, with
everything else in between, as it does over a network.
"""

import heapq
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from tests.history.history import (
    AnyRecord,
    Entry,
    FinalLog,
    PageReceived,
    PullEnded,
    PullInvoked,
    PushAnswered,
    PushInvoked,
    Refusal,
    StoreReset,
)

PAGE = 5
"""Most events in a simulated page."""

Steps = Generator[float, None, None]
"""A client's life: each item is a time to wait, in seconds."""

Outcome = Literal["ok", "fail", "cut", "final"]


@dataclass(slots=True)
class SimulatedStore:
    """One correct store."""

    name: str
    backend_id: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def head(self) -> int:
        return self.entries[-1].seq if self.entries else 0

    def append(self, batch: Sequence[Entry], backend_id: str | None) -> Refusal | None:
        if backend_id not in {None, self.backend_id}:
            return Refusal(tag="BackendIdMismatchError", backend_id=self.backend_id)
        if batch[0].parent != self.head:
            return Refusal(tag="ServerAheadError", head=self.head)
        self.entries.extend(batch)
        return None

    def after(self, cursor: int | None) -> list[Entry]:
        return [entry for entry in self.entries if cursor is None or entry.seq > cursor]


@dataclass(slots=True)
class Reader:
    """What one client knows of one store."""

    client: str
    store: SimulatedStore
    cursor: int | None = None
    backend_id: str | None = None
    known: set[str] = field(default_factory=set)

    def take(self, page: Sequence[Entry]) -> None:
        if page:
            self.cursor = page[-1].seq
        self.known.update(entry.id for entry in page)

    def forget(self) -> None:
        self.cursor = self.backend_id = None


class Simulation:
    """One run: ``records`` and ``logs`` are complete once it was made.

    Args:
        seed: the same seed gives the same history.
        with_reset: reset the first store once, half-way.
    """

    def __init__(self, seed: int, *, with_reset: bool = False) -> None:
        self._random = random.Random(seed)
        self._now = 0.0
        self._turns: list[tuple[float, int, Steps]] = []
        self._tie_break = count()
        self._ops = count(1)
        self._ids = count(1)
        self._busy = 0
        self.records: list[AnyRecord] = []
        stores = [SimulatedStore(f"store-{number}", f"backend-{number}") for number in (1, 2)]
        for store in stores:
            self._populate(store)
        if with_reset:
            self._busy += 1
            self._spawn(self._reset(stores[0]))
        self._run()
        self.logs = [
            FinalLog(store=store.name, backend_id=store.backend_id, entries=tuple(store.entries))
            for store in stores
        ]

    def _populate(self, store: SimulatedStore) -> None:
        for number in range(3):
            self._busy += 1
            self._spawn(self._writer(Reader(f"writer-{number}", store)))
            self._spawn(self._live_reader(Reader(f"live-{number}", store)))
        for number in range(2):
            self._spawn(self._poller(Reader(f"poller-{number}", store)))

    def _run(self) -> None:
        while self._turns:
            self._now, _, steps = heapq.heappop(self._turns)
            wait = next(steps, None)
            if wait is not None:
                self._schedule(wait, steps)

    def _spawn(self, steps: Steps) -> None:
        self._schedule(self._pause(), steps)

    def _schedule(self, wait: float, steps: Steps) -> None:
        heapq.heappush(self._turns, (self._now + wait, next(self._tie_break), steps))

    def _pause(self, mean: float = 1.0) -> float:
        return self._random.expovariate(1 / mean)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _writer(self, reader: Reader) -> Steps:
        yield from self._catch_up(reader)
        for _ in range(15):
            yield self._pause(5)
            names = [f"e{next(self._ids)}" for _ in range(self._random.randint(1, 4))]
            yield from self._deliver(reader, names)
        self._busy -= 1

    def _deliver(self, reader: Reader, names: Sequence[str]) -> Steps:
        """Push until the events are stored, or lost with the history that they were made on."""
        while True:
            answer = yield from self._push(reader, names)
            if answer.outcome == "ok":
                return
            made_on = reader.backend_id
            yield from self._catch_up(reader)
            if reader.backend_id != made_on or names[0] in reader.known:
                return

    def _push(self, reader: Reader, names: Sequence[str]) -> Generator[float, None, PushAnswered]:
        batch = self._chain(names, reader.cursor or 0)
        op, backend_id = next(self._ops), None if self._chance(0.1) else reader.backend_id
        invoked = PushInvoked(
            op=op,
            at=self._now,
            client=reader.client,
            server="simulated",
            store=reader.store.name,
            backend_id=backend_id,
            batch=batch,
        )
        self.records.append(invoked)
        yield self._pause()
        if self._chance(0.2):
            self._lose(reader.store, batch, backend_id)
            answer = PushAnswered(op=op, at=self._now, outcome="info")
        else:
            refusal = reader.store.append(batch, backend_id)
            yield self._pause()
            outcome: Literal["ok", "fail"] = "fail" if refusal else "ok"
            answer = PushAnswered(op=op, at=self._now, outcome=outcome, refusal=refusal)
        if answer.outcome == "ok":
            reader.take(batch)
        if answer.outcome != "info" or self._chance(0.5):
            self.records.append(answer)  # a client that died wrote nothing more
        return answer

    def _chain(self, names: Sequence[str], head: int) -> tuple[Entry, ...]:
        batch, parent = [], head
        for name in names:
            seq = parent + (self._random.randint(2, 1000) if self._chance(0.05) else 1)
            batch.append(Entry(name, seq, parent))
            parent = seq
        return tuple(batch)

    def _lose(self, store: SimulatedStore, batch: Sequence[Entry], backend_id: str | None) -> None:
        """The push never arrives, takes effect unseen, or takes effect after the cut."""
        match self._random.choice(["never", "unseen", "late"]):
            case "unseen":
                store.append(batch, backend_id)
            case "late":
                self._busy += 1
                self._spawn(self._append_late(store, batch, backend_id))

    def _append_late(
        self, store: SimulatedStore, batch: Sequence[Entry], backend_id: str | None
    ) -> Steps:
        yield self._pause()
        store.append(batch, backend_id)
        self._busy -= 1

    def _reset(self, store: SimulatedStore) -> Steps:
        yield 40
        invoked_at = self._now
        yield self._pause()
        store.entries.clear()
        store.backend_id += "-again"
        yield self._pause()
        self.records.append(
            StoreReset(
                store=store.name,
                invoked_at=invoked_at,
                answered_at=self._now,
                backend_id=store.backend_id,
            )
        )
        self._busy -= 1

    def _catch_up(self, reader: Reader) -> Steps:
        """Read to the end, from the start of another history if need be."""
        outcome: Outcome = "cut"
        while outcome != "ok":
            outcome = yield from self._pull(reader)
            if outcome == "fail":
                reader.forget()

    def _poller(self, reader: Reader) -> Steps:
        while self._busy:
            yield self._pause(4)
            yield from self._catch_up(reader)
            again = Reader(reader.client, reader.store, backend_id=reader.backend_id)
            again.cursor = self._random.choice([None, self._random.randint(0, reader.cursor or 0)])
            yield from self._pull(again)

    def _live_reader(self, reader: Reader) -> Steps:
        outcome: Outcome = "cut"
        while outcome != "final":
            outcome = yield from self._pull(reader, live=True)
            if outcome == "fail":
                reader.forget()

    def _pull(self, reader: Reader, *, live: bool = False) -> Generator[float, None, Outcome]:
        op = self._invoke_pull(reader, live=live)
        history = reader.backend_id if reader.cursor is not None else None
        caught_up = False
        while True:
            yield self._pause(0.3)
            rest = reader.store.after(reader.cursor)
            history = history or reader.store.backend_id
            if history != reader.store.backend_id:
                refusal = Refusal(tag="BackendIdMismatchError", backend_id=reader.store.backend_id)
                return self._end_pull(op, "fail", refusal)
            if self._chance(0.03):
                return self._end_pull(op, "cut")
            if live and caught_up and not rest and not self._busy:
                return self._end_pull(op, "final")
            if rest or not caught_up:
                caught_up = caught_up or len(rest) <= PAGE
                yield self._pause(0.1)
                self._receive(op, reader, rest[:PAGE], history, last=len(rest) <= PAGE)
            if caught_up and not live:
                return self._end_pull(op, "ok")

    def _invoke_pull(self, reader: Reader, *, live: bool) -> int:
        op = next(self._ops)
        invoked = PullInvoked(
            op=op,
            at=self._now,
            client=reader.client,
            server="simulated",
            store=reader.store.name,
            live=live,
            cursor=reader.cursor,
            backend_id=reader.backend_id if reader.cursor is not None else None,
        )
        self.records.append(invoked)
        return op

    def _receive(
        self, op: int, reader: Reader, page: Sequence[Entry], backend_id: str, *, last: bool
    ) -> None:
        self.records.append(
            PageReceived(op=op, at=self._now, backend_id=backend_id, entries=tuple(page), last=last)
        )
        reader.backend_id = backend_id
        reader.take(page)

    def _end_pull(self, op: int, outcome: Outcome, refusal: Refusal | None = None) -> Outcome:
        self.records.append(PullEnded(op=op, at=self._now, outcome=outcome, refusal=refusal))
        return outcome
