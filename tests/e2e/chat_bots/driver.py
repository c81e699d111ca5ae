"""Processes with bots in them, and the bots; the other sides are ``bot.mjs``, ``python_bot.py``."""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from tests.e2e.node_clients import Command, LinesProcess

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent

State = Mapping[str, Any]
"""Which state adapter a bot gets: ``kind``, and what that kind needs; see ``states.mjs``."""

Concurrency = Mapping[str, Any]
"""``strategy`` and whatever else Chat SDK's ``concurrency`` takes, in camelCase."""

DEADLINE_S = 60.0
"""Generous: only what will never come true uses it up."""

POLL_S = 0.005

Point = Literal["before enqueue", "after dequeue"]
"""Where a state adapter can be stopped."""

_names = itertools.count(1)


async def eventually(condition: Callable[[], Awaitable[bool]], *, what: str) -> None:
    """Return as soon as ``condition()`` holds.

    Raises:
        TimeoutError: it did not within ``DEADLINE_S``; the message names ``what``.
    """
    give_up_at = time.monotonic() + DEADLINE_S
    while not await condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{what}: not within {DEADLINE_S:g} s")
        await asyncio.sleep(POLL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a bot said."""

    thread: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A handler's run.

    Attributes:
        thread: where the message was.
        id: the message's id.
        texts: the texts of the messages that it stands for; the message's own is the last.
        began_ns: on the machine's monotonic clock, which all processes share.
        ended_ns: None while it runs, and for ever if it failed.
    """

    thread: str
    id: str
    texts: tuple[str, ...]
    began_ns: int
    ended_ns: int | None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read what the process answers."""
        return cls(
            thread=item["thread"],
            id=item["id"],
            texts=tuple(item["texts"]),
            began_ns=item["beganNs"],
            ended_ns=item.get("endedNs"),
        )


class Delivery:
    """A message on its way through a bot.

    Attributes:
        id: the message's id.
    """

    def __init__(self, bot: "Bot", message_id: str, command: Command) -> None:
        self.id = message_id
        self._bot = bot
        self._command = command

    async def handled(self) -> None:
        """Return when the bot is through with it: it ran handlers, queued it or let it be.

        Raises:
            NodeClientError: it refused, with the error's name as ``tag``, such as ``LockError``.
        """
        await self._command.value()

    async def begun(self) -> None:
        """Return as soon as a handler of this bot has begun with it."""
        await self._bot.handling(self.id)

    async def finish(self) -> None:
        """Let the handler go on that holds it, and return when the bot is through with it."""
        await self._bot.finish(self.id)
        await self.handled()


class Bot:
    """One bot, in a process that may hold others.

    What its handlers do is in the message's text. A mention subscribes the thread; then every
    message of it is answered with ``heard TEXT``, preceded by the texts that the strategy skipped,
    or with ``stopped TEXT`` if the handler was aborted.
    Other first words (``count``, ``history``, ``who``, ``remember``, ``recall``, ``forget``,
    ``fail``, ``bye``) have answers of their own. The word ``hold`` lets a handler wait for
    ``finish``, ``briefly`` for some milliseconds.
    """

    def __init__(self, process: "BotProcess", name: str) -> None:
        self._process = process
        self._name = name

    async def say(self, thread: str, *texts: str, user: str = "ann") -> None:
        """Deliver the texts one after the other, each when the bot is through with the last."""
        for text in texts:
            await self.deliver(thread, text, user=user).handled()

    def deliver(
        self, thread: str, text: str, *, user: str = "ann", message_id: str | None = None
    ) -> Delivery:
        """Begin to deliver a message; its id is a new one unless it is given."""
        message_id = message_id or f"{thread}-{next(_names)}"
        command = self._process.begin(
            "deliver",
            bot=self._name,
            thread=thread,
            messageId=message_id,
            text=text,
            user=user,
        )
        return Delivery(self, message_id, command)

    async def handling(self, message_id: str) -> None:
        """Return as soon as a handler has begun with this message."""
        await self._process.call("handling", bot=self._name, messageId=message_id)

    async def finish(self, message_id: str) -> None:
        """Let the handler of this message go on."""
        await self._process.call("finish", bot=self._name, messageId=message_id)

    async def abort(self, thread: str) -> None:
        """Let every handler of the thread stop that ``lets_abort``, whichever bot's it is."""
        await self._process.call("abort", bot=self._name, thread=thread)

    async def posts(self, thread: str) -> list[str]:
        """What it said in a thread, in order."""
        posts = [Post(**post) for post in await self._process.call("posts", bot=self._name)]
        return [post.text for post in posts if post.thread == thread]

    async def runs(self) -> list[Run]:
        """Every run of a handler, in the order in which they began."""
        return [Run.from_item(run) for run in await self._process.call("runs", bot=self._name)]

    async def pause(self, point: Point) -> None:
        """Let its state adapter stop, once, at the point; ``resume`` lets it go on."""
        await self._process.call("pause", bot=self._name, point=point)

    async def paused(self, point: Point) -> None:
        """Return as soon as the state adapter has stopped at the point."""
        await self._process.call("paused", bot=self._name, point=point)

    async def resume(self, point: Point) -> None:
        """Let the state adapter go on behind the point."""
        await self._process.call("resume", bot=self._name, point=point)

    async def state(self, method: str, *args: Any) -> Any:
        """Call its state adapter; ``method`` in camelCase, values as JSON has them."""
        return await self._process.call("state", bot=self._name, method=method, args=args)

    async def close(self) -> None:
        """Shut it down in good order."""
        await self._process.call("close", bot=self._name)


class BotProcess(LinesProcess):
    """A process that holds any number of bots. A context manager."""

    async def open(
        self,
        *,
        state: State,
        concurrency: Concurrency | None = None,
        on_lock_conflict: str | None = None,
        keeps_history: bool = False,
        keeps_transcripts: bool = False,
        lets_abort: bool = False,
        lock_ttl_ms: int | None = None,
        rescues: bool = False,
    ) -> Bot:
        """Make a bot; it is connected to its state on return.

        Args:
            state: the adapter it gets.
            concurrency: the strategy; Chat SDK's default is ``drop``.
            on_lock_conflict: ``drop``, ``force``, or ``forceful``: force for texts that begin
                with ``force``.
            keeps_history: whether it keeps its threads' messages.
            keeps_transcripts: whether it can ``remember`` and ``recall``.
            lets_abort: whether its handlers can be stopped, from every bot of the state.
            lock_ttl_ms: how long its locks last, in place of Chat SDK's 30 s, without being
                extended. A heartbeat comes every third of it, where there is one.
            rescues: whether it handles what was stranded in its queues; only on our state.
        """
        name = f"bot-{next(_names)}"
        await self.call(
            "open",
            bot=name,
            state=state,
            concurrency=concurrency,
            onLockConflict=on_lock_conflict,
            keepsHistory=keeps_history,
            keepsTranscripts=keeps_transcripts,
            letsAbort=lets_abort or None,
            lockTtlMs=lock_ttl_ms,
            rescues=rescues or None,
        )
        return Bot(self, name)


class NodeBots(BotProcess):
    """Bots in TypeScript's Chat SDK, in a Node process.

    Args:
        platform_websocket: whether Node 20 has a WebSocket of its own there, as newer ones do.
    """

    def __init__(self, *, platform_websocket: bool = False) -> None:
        super().__init__("bot.mjs")
        # the warning about the flag would only fill the log
        flags = ["--experimental-websocket", "--no-warnings"] if platform_websocket else []
        self._command_line = ["node", *flags, str(HERE / "bot.mjs")]

    def command_line(self) -> Sequence[str]:
        return self._command_line


class PythonBots(BotProcess):
    """Bots in Python's Chat SDK, in a process of any Python that has it.

    Args:
        python: path of the interpreter; the tests' own unless given.
        environment: more variables, such as those of the site whose database the bots share.
    """

    def __init__(
        self, *, python: str = sys.executable, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__("python_bot.py")
        self._python = python
        self._environment = environment or {}

    def command_line(self) -> Sequence[str]:
        return [self._python, "-m", "tests.e2e.chat_bots.python_bot"]

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, **self._environment, "PYTHONPATH": str(ROOT)}
