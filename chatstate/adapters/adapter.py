"""Chat SDK's ``StateAdapter`` over any transport: all that the two adapters have in common."""

import asyncio
import inspect
import logging
import os
import secrets
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import msgspec

from chatstate.adapters.background import Background, Patience, settle
from chatstate.adapters.sdk import Lock, QueueEntry, StateNotConnectedError
from chatstate.adapters.transport import Reply, Transport, wall_ms
from chatstate.adapters.values import (
    from_json,
    make_entry,
    number,
    open_entry,
    optional_count,
    optional_number,
    text,
    to_json,
)
from chatstate.protocol.errors import ChatstateError
from chatstate.protocol.operations import (
    AcquireLock,
    AppendToList,
    Delete,
    Dequeue,
    Enqueue,
    ExtendLock,
    ForceReleaseLock,
    Get,
    GetList,
    IsSubscribed,
    Operation,
    QueueDepth,
    ReleaseLock,
    Set,
    SetIfNotExists,
    Subscribe,
    Unsubscribe,
    whole_ttl_ms,
)

logger = logging.getLogger(__name__)

EXTEND_TIMEOUT_S = 8.0
"""Below the 10 s between two of Chat's heartbeats: the next one may still save the lock."""

RELEASE_PATIENCE_S = 3.0
"""Chat releases behind each message; it need not wait for a server that is away."""

StrandedHandler = Callable[[str], Awaitable[None] | None]
"""Told of a stranded queue by its lock key, which is a thread id or a channel id."""

ShardFunction = Callable[[str], str | None]
"""From a thread id, or the key of a cache entry or list, to the name of its shard; None leaves it
to the server. Must always give the same name."""


class FencedLock(NamedTuple):
    """A lock, and a number that is larger for each later holder.

    Whatever keeps the largest fence that it has seen can refuse a holder who comes too late.
    """

    lock: Lock
    fence: int


class TransportStateAdapter:
    """A ``chat_sdk.types.StateAdapter``; every instance has a namespace on a server behind it.

    Each method but ``connect`` and ``disconnect`` raises ``StateNotConnectedError`` before the one
    and after the other, and ``ChatstateError`` for what the server refused: its ``code`` is that of
    ``docs/chat-protocol.md``, its ``field`` the argument at fault as it is spelt there.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        shard_key: ShardFunction | None = None,
        key_shard: ShardFunction | None = None,
        on_stranded: StrandedHandler | None = None,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._transport = transport
        self._shard_key = shard_key
        self._key_shard = key_shard
        self._stranded_handlers = [on_stranded] if on_stranded else []
        self._passed_over: set[tuple[str, str]] = set()
        self._now_ms = now_ms
        self._request_ids = RequestIds()
        self._background = Background()
        self._of_thread = threading.local()  # a thread runs one loop at a time

    async def connect(self) -> None:
        """Make ready, unless that was done. After a failure it can be called again.

        Raises:
            ChatstateError: it failed.
        """
        await self._transport.open()

    async def disconnect(self) -> None:
        """Let go of the connection. What is stored stays."""
        await self._transport.close()

    async def subscribe(self, thread_id: str) -> None:
        """Listen to the thread from now on."""
        await self._call(Subscribe(**self._thread(thread_id)))

    async def unsubscribe(self, thread_id: str) -> None:
        """Listen no more."""
        await self._call(Unsubscribe(**self._thread(thread_id)))

    async def is_subscribed(self, thread_id: str) -> bool:
        """Whether the bot listens to the thread."""
        return bool(await self._value(IsSubscribed(**self._thread(thread_id))))

    async def acquire_lock(self, thread_id: str, ttl_ms: int) -> Lock | None:
        """Take the thread's lock; None: somebody holds it.

        Returns:
            The lock; its ``expires_at`` is in epoch milliseconds of this machine's clock.
        """
        acquired = await self.acquire_fenced_lock(thread_id, ttl_ms)
        return None if acquired is None else acquired.lock

    async def acquire_fenced_lock(self, thread_id: str, ttl_ms: int) -> FencedLock | None:
        """``acquire_lock``, for whoever wants to know the fence; Chat SDK does not ask for it."""
        acquired = await self._acquire(thread_id, ttl_ms)
        # The answer came so late that somebody else may hold the lock by now. A ttl of zero or less
        # is over whenever it comes: that is what was asked for.
        is_stale = acquired and ttl_ms > 0 and acquired.lock.expires_at <= self._now_ms()
        return await self._acquire(thread_id, ttl_ms) if is_stale else acquired

    async def release_lock(self, lock: Lock) -> None:
        """Give the lock back, if it still holds; returns after a few seconds at the latest.

        The release itself is tried for as long as every call, so that a thread is free as soon as
        a server that was away is back. What goes wrong is logged, not raised: the lock lapses by
        its ttl, and Chat would take the error for one of the message.
        """
        operation = ReleaseLock(**self._thread(lock.thread_id), token=text("token", lock.token))
        self._refuse_unless_open()
        enough = self._enough_patience()
        self._transport.begin(operation, partial(self._released, lock.thread_id, enough))
        await enough

    async def extend_lock(self, lock: Lock, ttl_ms: int) -> bool:
        """Hold the lock for ``ttl_ms`` from now; False: it is held no more."""
        operation = ExtendLock(
            **self._thread(lock.thread_id),
            token=text("token", lock.token),
            ttl_ms=number("ttlMs", ttl_ms),
        )
        return bool(await self._value(operation, timeout_s=EXTEND_TIMEOUT_S))

    async def force_release_lock(self, thread_id: str) -> None:
        """Take the lock away from whoever holds it."""
        await self._call(ForceReleaseLock(**self._thread(thread_id)))

    async def get(self, key: str) -> Any | None:
        """The value of a cache entry; None if there is none."""
        return await self._value(Get(**self._key(key)))

    async def set(self, key: str, value: Any, ttl_ms: int | None = None) -> None:
        """Write a cache entry, value and ttl both; without a ttl, or with 0, it is for ever."""
        ttl_ms_or_none = optional_number("ttlMs", ttl_ms)
        await self._call(Set(**self._key(key), value=to_json(value), ttl_ms=ttl_ms_or_none))

    async def set_if_not_exists(self, key: str, value: Any, ttl_ms: int | None = None) -> bool:
        """Write a cache entry unless there is one; False: there is, and it stays as it was."""
        operation = SetIfNotExists(
            **self._key(key),
            value=to_json(value),
            ttl_ms=optional_number("ttlMs", ttl_ms),
            request_id=self._request_ids.new(),
        )
        return bool(await self._value(operation))

    async def delete(self, key: str) -> None:
        """Remove a cache entry."""
        await self._call(Delete(**self._key(key)))

    async def append_to_list(
        self, key: str, value: Any, *, max_length: int | None = None, ttl_ms: int | None = None
    ) -> None:
        """Add a value at the end of a list.

        Args:
            key: of the list.
            value: anything that JSON can hold.
            max_length: how many of the newest values to keep; None and 0: all.
            ttl_ms: of the whole list, from now; None and 0: as it is.
        """
        if self._passed_over and self._is_passed_over(key, value):
            return
        operation = AppendToList(
            **self._key(key),
            value=to_json(value),
            max_length=optional_count("maxLength", max_length),
            ttl_ms=optional_number("ttlMs", ttl_ms),
            request_id=self._request_ids.new(),
        )
        await self._call(operation)

    async def get_list(self, key: str) -> list[Any]:
        """All values of a list, oldest first; none if there is no list."""
        values: list[Any] = await self._value(GetList(**self._key(key)))
        return values

    async def enqueue(self, thread_id: str, entry: QueueEntry, max_size: int) -> int:
        """Add an entry to the thread's queue, then keep the newest ``max_size``; 0: all.

        Returns:
            How many wait now.
        """
        message, enqueued_at, expires_at = open_entry(entry)
        operation = Enqueue(
            **self._thread(thread_id),
            message=message,
            enqueued_at=enqueued_at,
            expires_at=expires_at,
            # the server measures how long the entry lives between two instants of one clock, ours
            sent_at=self._now_ms(),
            max_size=optional_count("maxSize", max_size),
            request_id=self._request_ids.new(),
        )
        enqueued = _enqueued.decode((await self._call(operation)).text)
        self._tell_if_stranded(thread_id, enqueued)
        return enqueued.depth

    async def dequeue(self, thread_id: str) -> QueueEntry | None:
        """Take the oldest entry; None: nothing waits."""
        operation = Dequeue(**self._thread(thread_id), request_id=self._request_ids.new())
        dequeued = await self._value(operation)
        return None if dequeued is None else make_entry(dequeued, now_ms=self._now_ms())

    async def queue_depth(self, thread_id: str) -> int:
        """How many entries wait."""
        depth: int = await self._value(QueueDepth(**self._thread(thread_id)))
        return depth

    def add_stranded_handler(self, handler: StrandedHandler) -> None:
        """Have a handler told of stranded queues, as the argument ``on_stranded`` is."""
        self._stranded_handlers.append(handler)

    def pass_over(self, key: str, message_id: str, *, no_more: bool = False) -> None:
        """Leave out the next append of a message to a list; for ``rescue_stranded``.

        It gives Chat messages whose history was written when they first came.

        Args:
            key: of the list.
            message_id: the message's ``id`` member.
            no_more: take it back, if no such append came.
        """
        if no_more:
            self._passed_over.discard((key, message_id))
        else:
            self._passed_over.add((key, message_id))

    def _is_passed_over(self, key: str, value: Any) -> bool:
        name = (key, value.get("id")) if isinstance(value, dict) else None
        if name not in self._passed_over:
            return False
        self._passed_over.remove(name)
        return True

    def _enough_patience(self) -> "asyncio.Future[None]":
        patience: Patience | None = getattr(self._of_thread, "patience", None)
        if patience is None or patience.loop is not asyncio.get_running_loop():
            patience = self._of_thread.patience = Patience(RELEASE_PATIENCE_S)
        return patience.future()

    def _released(
        self, thread_id: str, enough: "asyncio.Future[None]", outcome: Reply | Exception
    ) -> None:
        if isinstance(outcome, Reply):
            settle(enough)
            self._tell_if_stranded(thread_id, _released.decode(outcome.text))
        elif isinstance(outcome, ChatstateError):
            settle(enough)
            logger.warning("a lock could not be released, and lapses by its ttl: %s", outcome)
        else:  # no answer of the server
            settle(enough, outcome)

    async def _acquire(self, thread_id: str, ttl_ms: int) -> FencedLock | None:
        operation = AcquireLock(
            **self._thread(thread_id),
            ttl_ms=number("ttlMs", ttl_ms),
            request_id=self._request_ids.new(),
        )
        reply = await self._call(operation)
        acquired = _acquired.decode(reply.text)
        if acquired is None:
            return None
        expires_at = reply.sent_at_ms + whole_ttl_ms(ttl_ms)
        lock = Lock(thread_id=thread_id, token=acquired.token, expires_at=expires_at)
        return FencedLock(lock, acquired.fence)

    async def _value(self, operation: Operation, *, timeout_s: float | None = None) -> Any:
        return from_json((await self._call(operation, timeout_s=timeout_s)).text)

    async def _call(self, operation: Operation, *, timeout_s: float | None = None) -> Reply:
        self._refuse_unless_open()
        return await self._transport.call(operation, timeout_s=timeout_s)

    def _refuse_unless_open(self) -> None:
        if not self._transport.is_open:
            raise StateNotConnectedError(type(self).__name__)

    def _thread(self, thread_id: Any) -> dict[str, Any]:
        members = {"thread_id": text("threadId", thread_id)}
        return _with_shard(members, self._shard_key and self._shard_key(thread_id))

    def _key(self, key: Any) -> dict[str, Any]:
        members = {"key": text("key", key)}
        return _with_shard(members, self._key_shard and self._key_shard(key))

    def _tell_if_stranded(self, thread_id: str, answer: "_Released | _Enqueued") -> None:
        if answer.stranded:
            for handler in self._stranded_handlers:
                self._background.run(self._tell_stranded(handler, thread_id))

    async def _tell_stranded(self, handler: StrandedHandler, thread_id: str) -> None:
        try:
            handled = handler(thread_id)
            if inspect.isawaitable(handled):
                await handled
        except Exception:
            logger.exception("on_stranded failed for %r", thread_id)


class _Acquired(msgspec.Struct, gc=False):
    token: str
    fence: int


class _Released(msgspec.Struct, gc=False):
    stranded: bool


class _Enqueued(msgspec.Struct, gc=False):
    depth: int
    stranded: bool


_acquired = msgspec.json.Decoder(_Acquired | None)
_released = msgspec.json.Decoder(_Released)
_enqueued = msgspec.json.Decoder(_Enqueued)


class RequestIds:
    """Ids that no other operation has, in whatever process.

    Those of one process follow each other: what the database keeps of them then lies together.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self._prefix = ""
        self._process_id = 0

    def new(self) -> str:
        """One that was never given."""
        if self._process_id != os.getpid():  # or this is the child of a fork
            self._prefix = secrets.token_hex(16)
            self._process_id = os.getpid()
        return f"{self._prefix}-{next(self._numbers)}"


def _with_shard(members: dict[str, Any], shard: str | None) -> dict[str, Any]:
    if shard is not None:
        members["shard"] = shard
    return members
