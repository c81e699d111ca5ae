"""What handling one message asks of the state: the same calls as in ``node/mixes.mjs``."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from chat_sdk.types import Lock, StateAdapter

THREADS_OF_A_CALLER = 8
MESSAGES_OF_A_CONVERSATION = 20
DEDUPE_TTL_MS = 10 * 60_000
LOCK_TTL_MS = 30_000
STATE_TTL_MS = 30 * 86_400_000
HISTORY = {"max_length": 100, "ttl_ms": 7 * 86_400_000}
TRANSCRIPT = {"max_length": 200}
TEXT = (
    "Could you look at the build of this morning? It failed on the second step, after the packages "
    "were installed, and the log says nothing that I understand."
)


class WrongAnswerError(AssertionError):
    """An adapter did not answer as the contract says."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One message at a time, in a channel and threads of its own."""

    state: StateAdapter
    channel: str
    threads: list[str]


async def subscribed_caller(state: StateAdapter) -> Caller:
    """A caller whose threads the bot has subscribed to."""
    channel = f"slack:C{secrets.token_hex(4)}"
    threads = [f"{channel}:{number}.000100" for number in range(THREADS_OF_A_CALLER)]
    await asyncio.gather(*(state.subscribe(thread) for thread in threads))
    return Caller(state, channel, threads)


async def light(caller: Caller, count: int) -> None:
    """4 calls: the strategy "drop", a subscribed thread, a handler that only posts."""
    state, thread = caller.state, _thread(caller, count)
    lock = await _claim_and_lock(state, thread, count)
    await state.release_lock(lock)


async def ai(caller: Caller, count: int) -> None:
    """14 calls: history of thread and channel, thread state, transcripts of both sides."""
    state, thread = caller.state, _thread(caller, count)
    # conversations end: lists would otherwise grow longer under a faster adapter
    conversation, before = divmod(count, MESSAGES_OF_A_CONVERSATION)
    history = f"msg-history:{caller.channel}:{conversation}"
    transcript = f"transcripts:user:{caller.channel}:{conversation}"
    state_key = f"thread-state:{caller.channel}:{conversation}"
    asked, answered = message(f"{count}.q", thread), message(f"{count}.a", thread)

    await _claim(state, thread, count)
    await asyncio.gather(
        state.append_to_list(history, asked, **HISTORY),
        state.append_to_list(f"{history}:channel", asked, **HISTORY),
    )
    lock = await _lock(state, thread)
    await state.append_to_list(transcript, asked, **TRANSCRIPT)
    _expect_list(await state.get_list(transcript), 2 * before + 1, asked)
    _expect_list(await state.get_list(history), 2 * before + 1, asked)
    _expect_step(await state.get(state_key), before)
    _expect_step(await state.get(state_key), before)  # set_state reads before it merges
    await state.set(state_key, _thread_state(before + 1), STATE_TTL_MS)
    await state.append_to_list(history, answered, **HISTORY)
    await state.append_to_list(transcript, answered, **TRANSCRIPT)
    await state.release_lock(lock)


MIXES: dict[str, Callable[[Caller, int], Awaitable[None]]] = {"light": light, "ai": ai}


def message(message_id: str, thread_id: str) -> dict[str, Any]:
    """A message as Chat SDK serialises it, about 700 bytes."""
    return {
        "_type": "chat:Message",
        "id": message_id,
        "threadId": thread_id,
        "text": TEXT,
        "formatted": {
            "type": "root",
            "children": [{"type": "paragraph", "children": [{"type": "text", "value": TEXT}]}],
        },
        "raw": None,
        "author": {
            "userId": "U02ABCDEF",
            "userName": "ada",
            "fullName": "Ada",
            "isBot": False,
            "isMe": False,
        },
        "metadata": {"dateSent": "2026-11-21T12:00:00.000Z", "edited": False},
        "attachments": [],
        "isMention": True,
    }


def _thread(caller: Caller, count: int) -> str:
    return caller.threads[count % len(caller.threads)]


def _thread_state(step: int) -> dict[str, Any]:
    topic = "the build of this morning"
    return {"step": step, "topic": topic, "language": "en", "asked": ["log", "version"]}


async def _claim_and_lock(state: StateAdapter, thread: str, count: int) -> Lock:
    await _claim(state, thread, count)
    return await _lock(state, thread)


async def _claim(state: StateAdapter, thread: str, count: int) -> None:
    key = f"dedupe:{thread}:{count}"
    if await state.set_if_not_exists(key, True, DEDUPE_TTL_MS) is not True:
        raise WrongAnswerError(f"set_if_not_exists of the new key {key}")


async def _lock(state: StateAdapter, thread: str) -> Lock:
    lock = await state.acquire_lock(thread, LOCK_TTL_MS)
    if lock is None:
        raise WrongAnswerError(f"acquire_lock of {thread}, which is free")
    if await state.is_subscribed(thread) is not True:
        raise WrongAnswerError(f"is_subscribed of {thread}, which is")
    return lock


def _expect_list(values: list[Any], length: int, newest: dict[str, Any]) -> None:
    if len(values) != length or values[-1]["id"] != newest["id"]:
        raise WrongAnswerError(f"a list of {length} up to {newest['id']}, got {len(values)}")


def _expect_step(value: Any, step: int) -> None:
    if (value["step"] if value else 0) != step:
        raise WrongAnswerError(f"the state at step {step}, got {value}")
