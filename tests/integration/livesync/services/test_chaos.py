"""F-15: whatever becomes of the hints, every live pull gets every event once and in order.

Everything around the hub is simulated in one loop, and a seed decides what happens when: a log in
memory instead of a database, reads that take their time, hints that are lost, doubled, late,
reordered or forged, clients that are slow to acknowledge. What fails, fails again with its seed.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from livesync.protocol.events import Cursor, Event
from livesync.protocol.pages import encode_event
from livesync.services import hub as hub_module
from livesync.services import pull as pull_module
from livesync.services.hints import Hint
from livesync.services.hub import Hub
from livesync.services.live_pull import LivePull, News
from livesync.storage.engine import Appended, Slice, StoreState
from tests.conftest import Figure
from tests.factories import make_events
from tests.listeners import Listener

STORE, BACKEND_ID = "store", "the history"
SEEDS = 300
FEW_PUSHES = 40
CREATED_AT = "2026-11-21T17:40:00.123Z"


class Chance:
    """Decides, from one seed, what happens and when."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.loop = asyncio.get_running_loop()

    def happens(self, probability: float) -> bool:
        return self._random.random() < probability

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    async def pause(self, longest: int) -> None:
        """Let the loop turn a few times."""
        for _ in range(self.number(0, longest)):
            await asyncio.sleep(0)

    def later(self, longest: int, callback: Callable[..., Any], *args: Any) -> None:
        """Call ``callback`` one or more turns of the loop later."""

        def turn(left: int) -> None:
            if left:
                self.loop.call_soon(turn, left - 1)
            else:
                callback(*args)

        self.loop.call_soon(turn, self.number(0, longest))


class Log:
    """An engine with one store, in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def head(self) -> int:
        return self.events[-1].seq_num if self.events else 0

    def append(self, count: int) -> Appended:
        batch, parent = make_events(count, after=self.head), self.head
        self.events += batch
        return Appended(STORE, BACKEND_ID, parent, self.head, batch, CREATED_AT)

    def read(self, store_id: str, after: int, *, max_events: int, max_bytes: int) -> Slice:
        rest = self.events[after:]
        found = rest[: min(max_events, 7)]
        state = StoreState(BACKEND_ID, self.head, len(self.events))
        texts = [encode_event(event, CREATED_AT) for event in found]
        return Slice(state, [event.seq_num for event in found], texts, len(rest) - len(found))

    def states(self, store_ids: Sequence[str]) -> dict[str, StoreState]:
        return {STORE: StoreState(BACKEND_ID, self.head, len(self.events))}


class Readers:
    """Reads that take some turns of the loop before they see the log, and some after."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        await self._chance.pause(4)
        found = function(*args)
        await self._chance.pause(4)
        return found


class Bus:
    """Hints as the worst of channel layers delivers them."""

    is_degraded = False

    def __init__(self, chance: Chance, on_hint: Callable[[Hint], None]) -> None:
        self._chance = chance
        self._on_hint = on_hint

    def join(self, store_id: str) -> None:
        pass

    def leave(self, store_id: str) -> None:
        pass

    def publish(self, hint: Hint) -> None:
        if self._chance.happens(0.3):
            return
        for _ in range(self._chance.number(1, 3)):
            self._chance.later(60, self._on_hint, hint)
        if self._chance.happens(0.2):
            self._chance.later(60, self._on_hint, self._forged(hint))

    async def stop(self) -> None:
        pass

    def _forged(self, hint: Hint) -> Hint:
        forgeries = [
            hint._replace(store_id="another store"),
            hint._replace(backend_id="another history"),
            hint._replace(head=2**60),
            hint._replace(head=-1),
        ]
        return forgeries[self._chance.number(0, len(forgeries) - 1)]


class Client(Listener):
    """A listener that takes its time."""

    def __init__(self, chance: Chance, cursor: Cursor | None) -> None:
        super().__init__(STORE, cursor, acks=False)
        self._chance = chance
        self.seen = cursor.seq_num if cursor else 0

    def send_chunk(self, values: str) -> None:
        super().send_chunk(values)
        self._chance.later(12, self.ack)

    def is_writable(self) -> bool:
        return self._chance.happens(0.95)


class World:
    """One run: processes that push, clients that come and go, and the hub between."""

    def __init__(self, seed: int, log: Log, pushes: int) -> None:
        self.chance = Chance(seed)
        self.log = log
        self.pushes = pushes
        self.hub = Hub(lambda on_hint: Bus(self.chance, on_hint))  # type: ignore[arg-type,return-value]
        self.clients: list[Client] = []

    async def run(self) -> None:
        self._open_pull()
        for _ in range(self.pushes):
            if self.chance.happens(0.15):
                self._open_pull()
            if len(self.clients) > 1 and self.chance.happens(0.03):
                self.clients.pop().stop()
            self._push()
            await self.chance.pause(6)
        await self._settle()
        await self.hub.stop()

    def _open_pull(self) -> None:
        seen = self.chance.number(0, self.log.head)
        cursor = Cursor(BACKEND_ID, seen) if seen else None
        client = Client(self.chance, cursor)
        client.start(self.hub)
        self.clients.append(client)

    def _push(self) -> None:
        appended = self.log.append(self.chance.number(1, 3))
        if self.chance.happens(0.5):
            self.hub.take([appended])  # this process's own; it publishes a hint as well
        else:
            bus: Any = self.hub._bus
            bus.publish(Hint(STORE, BACKEND_ID, appended.head))

    async def _settle(self) -> None:
        """What no hint has told, the reconcile tick finds."""
        for _ in range(5_000):
            if all(
                client.is_live and client.pull.seq_num == self.log.head for client in self.clients
            ):
                return
            await self.hub.reconcile()
            await asyncio.sleep(0)
        raise AssertionError("some live pulls never caught up")

    def check(self) -> None:
        for client in self.clients:
            assert client.error is None
            assert client.numbers == list(range(client.seen + 1, self.log.head + 1))


MakeWorld = Callable[[int, int], World]


@pytest.fixture
def make_world(monkeypatch: pytest.MonkeyPatch) -> MakeWorld:
    def make_world(seed: int, pushes: int) -> World:
        log = Log()
        world = World(seed, log, pushes)
        for module in (pull_module, hub_module):
            monkeypatch.setattr(module, "get_engine", lambda: log)
            monkeypatch.setattr(module, "get_readers", lambda: Readers(world.chance))
        return world

    return make_world


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_every_event_comes_once_and_in_order(
    make_world: MakeWorld, figure: Figure, seed: int
) -> None:
    world = make_world(seed, figure(usually=FEW_PUSHES, drill=200))

    await world.run()

    world.check()


# the simulation is worth something only if it finds what can go wrong


def take_whatever_is_between(self: LivePull, news: News) -> None:
    if self._is_live and self.seq_num < news.head:
        for values in news.chunks:
            self._send(values, 1)
        self.seq_num = news.head


def take_what_was_seen(self: LivePull, news: News) -> None:
    for values in news.chunks:
        self._send(values, 1)
    self.seq_num = max(self.seq_num, news.head)


def believe_the_hint(self: LivePull, backend_id: str, head: int) -> None:
    self.seq_num = max(self.seq_num, head)


def ignore_hints(self: LivePull, backend_id: str, head: int) -> None:
    pass


def stay_live(self: LivePull) -> None:
    self._is_dirty = True


@pytest.mark.parametrize(
    ("method", "bug"),
    [
        ("offer", take_whatever_is_between),
        ("offer", take_what_was_seen),
        ("compare", believe_the_hint),
        ("compare", ignore_hints),
        ("mark_dirty", stay_live),
    ],
)
async def test_a_planted_bug_is_found(
    make_world: MakeWorld,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    bug: Callable[..., Any],
) -> None:
    monkeypatch.setattr(LivePull, method, bug)

    for seed in range(20):
        world = make_world(seed, FEW_PUSHES)
        try:
            await world.run()
            world.check()
        except AssertionError:
            return
    pytest.fail("nobody noticed")
