"""The state adapters that a Python bot may be given."""

import asyncio
import functools
from typing import Any

from chat_sdk import Chat
from chat_sdk.state.memory import MemoryStateAdapter
from chat_sdk.types import QueueEntry, StateAdapter


class Pauses:
    """Where a state adapter is to stop."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}
        self._used: set[str] = set()

    async def at(self, point: str) -> None:
        """Stop here if that was asked for; a pause is for one call."""
        if point not in self._asked or point in self._used:
            return
        self._used.add(point)
        reached, resumed = self._asked[point]
        reached.set()
        await resumed.wait()

    def ask(self, point: str) -> None:
        """Let the next call stop at this point."""
        self._used.discard(point)
        self._asked[point] = asyncio.Event(), asyncio.Event()

    async def reached(self, point: str) -> None:
        """Return as soon as a call has stopped there."""
        await self._asked[point][0].wait()

    def resume(self, point: str) -> None:
        """Let it go on."""
        self._asked[point][1].set()


class PausingState:
    """A state adapter that stops at ``before enqueue`` and ``after dequeue``, where told to."""

    def __init__(self, pauses: Pauses, state: StateAdapter) -> None:
        self._pauses = pauses
        self._state = state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    async def enqueue(self, thread_id: str, entry: QueueEntry, max_size: int) -> int:
        await self._pauses.at("before enqueue")
        return await self._state.enqueue(thread_id, entry, max_size)

    async def dequeue(self, thread_id: str) -> QueueEntry | None:
        entry = await self._state.dequeue(thread_id)
        await self._pauses.at("after dequeue")
        return entry


def open_state(kind: str, **options: Any) -> StateAdapter:
    """The adapter that ``kind`` names; each call makes its own, but for memory."""
    match kind:
        case "remote":
            from chatstate.adapters import RemoteStateAdapter

            return RemoteStateAdapter(**options)
        case "direct":
            import django

            django.setup()
            from chatstate.adapters import DjangoStateAdapter

            return DjangoStateAdapter(**options)
    return _memory(**options)


def rescue(chat: Chat) -> None:
    """Let the bot handle what was stranded in its queues."""
    from chatstate.adapters import rescue_stranded

    rescue_stranded(chat)


@functools.cache
def _memory(*, name: str) -> StateAdapter:
    # one for all bots of this process that give the same name: memory is all they could share
    return MemoryStateAdapter()
