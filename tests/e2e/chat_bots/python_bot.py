"""Bots written with Chat SDK (PyPI ``chat-sdk``), driven by the commands of ``bot.mjs``.

Runs under any Python that has ``chat-sdk``, also one newer than the site's; of versions before
0.4.41 it uses what they have.
"""

import asyncio
import re
import time
import warnings
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import chat_sdk.chat
import chat_sdk.types
from chat_sdk import Chat
from chat_sdk.types import ConcurrencyConfig, Message

from tests.e2e.chat_bots.fake_platform import FakePlatform
from tests.e2e.chat_bots.lines import serve
from tests.e2e.chat_bots.python_states import Pauses, PausingState, open_state, rescue

USUAL_LOCK_TTL_MS = 30_000
BRIEFLY_S = 0.003


class Bot:
    """One bot: its chat, its platform, and what its handlers did.

    Args:
        state: the adapter that it gets, for ``open_state``.
        rescues: whether it handles what was stranded in its queues.
        keeps_history: whether it keeps its threads' messages.
        lets_abort: whether its handlers can be stopped; they cannot before 0.4.41.
        options: more arguments for ``Chat``.
    """

    def __init__(
        self,
        state: dict[str, Any],
        *,
        rescues: bool,
        keeps_history: bool,
        lets_abort: bool,
        options: Any,
    ) -> None:
        self.pauses = Pauses()
        self.state: Any = PausingState(self.pauses, open_state(**state))
        self.platform = FakePlatform(keeps_history=keeps_history, lets_abort=lets_abort)
        self.chat = Chat(
            user_name="bot",
            adapters={"fake": self.platform},
            state=self.state,
            logger="warn",
            **options,
        )
        self.runs: list[dict[str, Any]] = []
        self.begun: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.finished: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        if rescues:
            rescue(self.chat)
        self.chat.on_mention(self._welcome)
        self.chat.on_subscribed_message(self._handler("heard"))
        self.chat.on_message(re.compile("^!"))(self._handler("command"))

    async def _welcome(self, thread: Any, message: Message, context: Any = None) -> None:
        await thread.subscribe()
        await self._run("hello", thread, message, context)

    def _handler(self, greeting: str) -> Callable[..., Awaitable[None]]:
        return lambda thread, message, context=None: self._run(greeting, thread, message, context)

    async def _run(self, greeting: str, thread: Any, message: Message, context: Any) -> None:
        texts = [each.text for each in (*(context.skipped if context else ()), message)]
        record = {"thread": thread.id, "id": message.id, "texts": texts, "beganNs": _now_ns()}
        self.runs.append(record)
        self.begun[message.id].set()
        if signal := getattr(thread, "signal", None):
            signal.add_listener(self.finished[message.id].set)
        words = message.text.split()
        if "hold" in words:
            await self.finished[message.id].wait()
        if "briefly" in words:
            await asyncio.sleep(BRIEFLY_S)
        reply = REPLIES.get(words[0])
        verb = "stopped" if signal and signal.aborted else greeting
        said = await reply(self, thread, message) if reply else f"{verb} {' + '.join(texts)}"
        await thread.post(said)
        record["endedNs"] = _now_ns()


async def count(bot: Bot, thread: Any, message: Message) -> str:
    """Count in the thread's state."""
    number = ((await thread.get_state()) or {}).get("count", 0) + 1
    await thread.set_state({"count": number})
    return f"count {number}"


async def history(bot: Bot, thread: Any, message: Message) -> str:
    """Every message of the thread."""
    texts = [each.text async for each in thread.all_messages()]
    return f"history: {', '.join(texts)}"


async def who(bot: Bot, thread: Any, message: Message) -> str:
    """Who wrote the message, and when."""
    sent_at_ms = round(message.metadata.date_sent.timestamp() * 1000)
    return f"{message.author.full_name} at {sent_at_ms}"


async def remember(bot: Bot, thread: Any, message: Any) -> str:
    """Put the message and the answer into the user's transcript."""
    types: Any = chat_sdk.types
    transcripts = bot.chat.transcripts
    await transcripts.append(thread, message)
    said = types.AppendInput(role="assistant", text=f"noted {message.text}")
    await transcripts.append(thread, said, types.AppendOptions(user_key=message.user_key))
    return str(said.text)


async def recall(bot: Bot, thread: Any, message: Any) -> str:
    """The user's transcript."""
    types: Any = chat_sdk.types
    entries = await bot.chat.transcripts.list(types.ListQuery(user_key=message.user_key))
    return f"recalled: {', '.join(f'{entry.role} {entry.text}' for entry in entries)}"


async def forget(bot: Bot, thread: Any, message: Any) -> str:
    """Delete the user's transcript."""
    types: Any = chat_sdk.types
    result = await bot.chat.transcripts.delete(types.DeleteTarget(user_key=message.user_key))
    return f"forgot {result.deleted}"


async def fail(bot: Bot, thread: Any, message: Message) -> str:
    """Raise."""
    raise RuntimeError("the handler failed")


async def bye(bot: Bot, thread: Any, message: Message) -> str:
    """Unsubscribe."""
    await thread.unsubscribe()
    return "bye"


REPLIES = {
    reply.__name__: reply for reply in (count, history, who, remember, recall, forget, fail, bye)
}
"""By a text's first word."""


class Bots:
    """The bots of this process, and the commands about them."""

    def __init__(self) -> None:
        self._bots: dict[str, Bot] = {}

    async def open(
        self,
        *,
        bot: str,
        state: dict[str, Any],
        concurrency: dict[str, Any] | None = None,
        onLockConflict: str | None = None,  # noqa: N803 -- as the line names it
        keepsHistory: bool = False,  # noqa: N803
        keepsTranscripts: bool = False,  # noqa: N803
        letsAbort: bool = False,  # noqa: N803
        rescues: bool = False,
        lockTtlMs: int = USUAL_LOCK_TTL_MS,  # noqa: N803
    ) -> None:
        """Make a bot; ``lockTtlMs`` is that of every bot of this process from now on."""
        chat_sdk.chat.DEFAULT_LOCK_TTL_MS = lockTtlMs
        options: dict[str, Any] = {
            "on_lock_conflict": CONFLICTS.get(onLockConflict, onLockConflict)
        }
        if concurrency is not None:
            options["concurrency"] = ConcurrencyConfig(**_snake_case(concurrency))
        if keepsTranscripts:
            types: Any = chat_sdk.types
            options["transcripts"] = types.TranscriptsConfig()
            options["identity"] = lambda context: context.author.user_id
        made = Bot(
            state,
            rescues=rescues,
            keeps_history=keepsHistory,
            lets_abort=letsAbort,
            options=options,
        )
        await made.chat.initialize()
        self._bots[bot] = made

    async def deliver(self, *, bot: str, **raw: str) -> None:
        chosen = self._bots[bot]
        await chosen.platform.receive(chosen.chat.webhooks["fake"], raw)

    async def handling(self, *, bot: str, messageId: str) -> None:  # noqa: N803
        await self._bots[bot].begun[messageId].wait()

    async def finish(self, *, bot: str, messageId: str) -> None:  # noqa: N803
        self._bots[bot].finished[messageId].set()

    async def abort(self, *, bot: str, thread: str) -> None:
        chat: Any = self._bots[bot].chat
        await chat.abort_turn(thread)

    async def posts(self, *, bot: str) -> list[dict[str, str]]:
        return self._bots[bot].platform.posts

    async def runs(self, *, bot: str) -> list[dict[str, Any]]:
        return self._bots[bot].runs

    async def pause(self, *, bot: str, point: str) -> None:
        self._bots[bot].pauses.ask(point)

    async def paused(self, *, bot: str, point: str) -> None:
        await self._bots[bot].pauses.reached(point)

    async def resume(self, *, bot: str, point: str) -> None:
        self._bots[bot].pauses.resume(point)

    async def state(self, *, bot: str, method: str, args: list[Any]) -> Any:
        name = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", method)
        return await getattr(self._bots[bot].state, name)(*args)

    async def close(self, *, bot: str) -> None:
        await self._bots.pop(bot).chat.shutdown()


OPS = (
    *("open", "deliver", "handling", "finish", "abort", "posts", "runs"),
    *("pause", "paused", "resume", "state", "close"),
)


def _forceful(thread_id: str, message: Message) -> str:
    return "force" if message.text.startswith("force") else "drop"


CONFLICTS: dict[str | None, Any] = {"forceful": _forceful}


def _snake_case(names: dict[str, Any]) -> dict[str, Any]:
    return {
        re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name): value
        for name, value in names.items()
    }


def _now_ns() -> int:
    return time.monotonic_ns()


def main() -> None:
    warnings.simplefilter("ignore")  # the memory adapter warns of production
    bots = Bots()
    asyncio.run(serve({op: getattr(bots, op) for op in OPS}))


if __name__ == "__main__":
    main()
