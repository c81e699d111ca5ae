"""The server dies under its bots, or a bot dies: what they were told holds, and work goes on."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial

import pytest

from tests.conftest import Figure
from tests.e2e.chat_bots import Bot, BotProcess, NodeBots, PythonBots, Run, eventually
from tests.e2e.chat_bots.crews import BotSite
from tests.e2e.node_clients import NodeClientError
from tests.site_process import SiteProcess

QUEUE = {"strategy": "queue", "maxQueueSize": 1_000}
LONG_LOCK_TTL_MS = 600_000
"""Longer than a test: no lock lapses while the server is away, and none that is left over does."""

BOT_LOCK_TTL_MS = 1_500
A_LOCK_LATER_S = BOT_LOCK_TTL_MS / 1000 * 1.4


@pytest.fixture(scope="module")
def site_of_module() -> Iterator[BotSite]:
    with SiteProcess() as process:
        yield BotSite.of(process)


@pytest.fixture
def site(site_of_module: BotSite) -> BotSite:
    """A site on the embedded default that a test may kill."""
    if not site_of_module.process.running:
        site_of_module.process.start()
    return site_of_module


@pytest.fixture
async def processes() -> AsyncIterator[Sequence[BotProcess]]:
    """For bots of two languages."""
    modern = NodeBots(platform_websocket=True)
    async with modern as one, NodeBots() as two, PythonBots() as three:
        yield one, two, three


@pytest.fixture
async def trio(site: BotSite, processes: Sequence[BotProcess]) -> Sequence[Bot]:
    """Three bots on one site, in processes of their own."""
    return [
        await process.open(
            state=site.remote,
            concurrency=QUEUE,
            lock_ttl_ms=LONG_LOCK_TTL_MS,
            rescues=True,
        )
        for process in processes
    ]


class Load:
    """Every bot is told things in every thread, each as it is through with the last.

    Attributes:
        told: the texts that were delivered, and of which the bot said that it is through.
    """

    def __init__(self, bots: Sequence[Bot], threads: Sequence[str]) -> None:
        self.told: list[str] = []
        self._bots = bots
        self._threads = threads
        self._is_over = False

    async def run(self) -> None:
        """Go on until ``end``; raises what a bot raises."""
        async with asyncio.TaskGroup() as tasks:
            for bot, thread in itertools.product(self._bots, self._threads):
                tasks.create_task(self._tell(bot, thread))

    async def _tell(self, bot: Bot, thread: str) -> None:
        for number in itertools.count():
            if self._is_over:
                return
            text = f"{id(bot)} {thread} {number} briefly"
            await bot.say(thread, text)
            self.told.append(text)

    def end(self) -> None:
        """Let ``run`` return when the bots are through with what they were told."""
        self._is_over = True

    async def grown(self, count: int) -> None:
        """Return as soon as so many more texts were told."""
        wanted = len(self.told) + count

        async def is_there() -> bool:
            return len(self.told) >= wanted

        await eventually(is_there, what=f"{count} more messages")


async def test_bots_go_on_after_the_server_was_killed_and_restarted(
    site: BotSite, trio: Sequence[Bot], thread: str, figure: Figure
) -> None:
    threads = [f"{thread}.{number}" for number in range(3)]
    for each in threads:
        await trio[0].say(each, "@bot hi")
    load = Load(trio, threads)
    running = asyncio.create_task(load.run())

    for end in (site.process.kill, site.process.terminate) * figure(usually=1, drill=10):
        await load.grown(100)
        end()
        site.process.start()
    await load.grown(100)
    load.end()
    await running

    await eventually(lambda: all_heard(trio, load.told), what="an answer to every message")
    runs = [run for run in await all_runs(trio) if run.texts != ("@bot hi",)]
    assert Counter(text for run in runs for text in run.texts) == Counter(load.told)
    for each in threads:
        assert overlaps([run for run in runs if run.thread == each]) == []


async def test_a_restarted_server_knows_what_was_handled(
    site: BotSite, trio: Sequence[Bot], thread: str
) -> None:
    first, second, third = trio
    await first.say(thread, "@bot hi")
    once = first.deliver(thread, "once")
    await once.handled()
    held = second.deliver(thread, "held hold")
    await held.begun()
    await third.say(thread, "queued")

    site.process.kill()
    site.process.start()

    await third.deliver(thread, "once", message_id=once.id).handled()
    await third.say(thread, "queued later")
    await held.finish()
    assert await first.posts(thread) == ["hello @bot hi", "heard once"]
    assert await second.posts(thread) == ["heard held hold", "heard queued + queued later"]
    assert await third.posts(thread) == []


async def test_a_lock_released_while_the_server_was_away_is_free_afterwards(
    site: BotSite, processes: Sequence[BotProcess], thread: str
) -> None:
    options = {"state": site.remote, "lock_ttl_ms": LONG_LOCK_TTL_MS}
    node_bot, other, python_bot = [await process.open(**options) for process in processes]
    held = {f"{thread}.node": node_bot, f"{thread}.python": python_bot}
    deliveries = []
    for each, bot in held.items():
        await bot.say(each, "@bot hi")
        deliveries.append(bot.deliver(each, "held hold"))
        await deliveries[-1].begun()

    site.process.kill()
    # each returns as soon as its bot has waited for the release long enough
    await asyncio.gather(*(delivery.finish() for delivery in deliveries))
    site.process.start()

    for each in held:
        await eventually(partial(is_let_in, other, each), what="an answer of another bot")


async def test_a_killed_bots_thread_goes_on_without_it(site: BotSite, thread: str) -> None:
    options = {"state": site.remote, "concurrency": QUEUE, "lock_ttl_ms": BOT_LOCK_TTL_MS}
    async with NodeBots() as mortal, PythonBots() as other:
        first, second = await mortal.open(**options), await other.open(**options)
        await first.say(thread, "@bot hi")
        one = first.deliver(thread, "one hold")
        await one.begun()
        await second.say(thread, "two")

        await mortal.kill()
        # the time has to pass: it is what ends a dead bot's lock
        await asyncio.sleep(A_LOCK_LATER_S)
        await second.say(thread, "three")

        assert await second.posts(thread) == ["heard three", "heard two"]


async def all_runs(bots: Sequence[Bot]) -> list[Run]:
    """The runs of every bot, in the order in which they began."""
    runs = [run for bot in bots for run in await bot.runs()]
    return sorted(runs, key=lambda run: run.began_ns)


async def all_heard(bots: Sequence[Bot], told: Sequence[str]) -> bool:
    """Whether every text came to a handler, and every handler is through."""
    runs = await all_runs(bots)
    heard = {text for run in runs for text in run.texts}
    return heard.issuperset(told) and all(run.ended_ns is not None for run in runs)


async def is_let_in(bot: Bot, thread: str) -> bool:
    """Tell the bot something; whether it answers, or could not lock the thread."""
    with contextlib.suppress(NodeClientError):
        await bot.say(thread, "may I")
    return bool(await bot.posts(thread))


def overlaps(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Those that ran at one time; runs in the order in which they began."""
    return [
        (earlier, later)
        for earlier, later in itertools.pairwise(runs)
        if earlier.ended_ns is None or later.began_ns < earlier.ended_ns
    ]
