"""The adapter for a bot in the process that has the database."""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from random import random

from chatstate.adapters.adapter import StrandedHandler, TransportStateAdapter
from chatstate.adapters.background import Background
from chatstate.adapters.backoff import REFUSED, REPEAT_FOR_S
from chatstate.adapters.transport import NoAnswerError, Reply, Told, wall_ms
from chatstate.conf import get_settings
from chatstate.protocol.errors import ChatstateError, PassingError
from chatstate.protocol.operations import GetList, GetMore, Operation, name_of
from chatstate.services.execute import start
from chatstate.services.schema import check_schema
from chatstate.services.threads import get_readers
from chatstate.services.tokens import check_namespace
from chatstate.sharding import database_aliases, shard_of
from chatstate.storage.jobs import Result
from chatstate.storage.steps import Piece
from groundwork.connections import (
    InsideTransactionError,
    is_caller_in_atomic,
    is_loop_thread_in_atomic,
    resolve,
)

logger = logging.getLogger(__name__)


class DjangoStateAdapter(TransportStateAdapter):
    """Chat SDK's state in the database of this Django process, without a server between.

    It can be used from any event loop, from several at once, and from a new one after another has
    ended. What is called in one turn of a loop is handed to the process's writer together.

    It may be called inside the caller's ``transaction.atomic()`` on another alias; what it does is
    not part of that transaction. Inside one on an alias of chatstate's own it raises
    ``InsideTransactionError`` at once, since each would wait for the other. It notices one in
    the thread that runs the event loop (``asyncio.run`` inside ``atomic()``) and in one that waits
    for it in ``async_to_sync``. It cannot notice one in a thread that waits in any other way, such
    as ``asyncio.run_coroutine_threadsafe(...).result()``: there the call fails with
    ``UnavailableError`` after three quarters of a minute.

    Args:
        namespace: of the bot; what it keeps is apart from other namespaces'.
        on_stranded: called with the lock key when a queue holds entries although nobody holds its
            lock: nobody would take them out before the thread's next message.

    Raises:
        InvalidError: the namespace cannot be one.
    """

    def __init__(self, namespace: str, *, on_stranded: StrandedHandler | None = None) -> None:
        check_namespace(namespace)
        super().__init__(_InProcess(namespace), on_stranded=on_stranded)

    async def connect(self) -> None:
        """Check that the databases are there and migrated, unless that was done.

        Raises:
            UnavailableError: one of them does not answer.
            ImproperlyConfigured: one of them lacks migrations.
        """
        await super().connect()


class _InProcess:
    """The services of this process as a transport."""

    def __init__(self, namespace: str) -> None:
        self._turns = _Turns(namespace)
        self._is_open = False
        self._background = Background()

    @property
    def is_open(self) -> bool:
        return self._is_open

    async def open(self) -> None:
        if not self._is_open:
            await get_readers().run(check_schema, database_aliases())
            self._is_open = True

    async def close(self) -> None:
        self._is_open = False

    async def call(self, operation: Operation, *, timeout_s: float | None = None) -> Reply:
        if timeout_s is not None:
            return await self._call_in_time(operation, timeout_s)
        _refuse_caller_inside_atomic()
        sent_at_ms = wall_ms()
        give_up_at = time.monotonic() + REPEAT_FOR_S
        result = await self._turns.run(operation)
        if not isinstance(result, str):  # nearly always it is one: no coroutine more
            result = await self._rest(operation, result, give_up_at)
        return Reply(result, sent_at_ms)

    def begin(self, operation: Operation, told: Told) -> None:
        _refuse_caller_inside_atomic()
        sent_at_ms = wall_ms()
        give_up_at = time.monotonic() + REPEAT_FOR_S

        def take(result: Result) -> None:
            if isinstance(result, str):
                told(Reply(result, sent_at_ms))
            else:
                self._background.call(self._late(operation, result, give_up_at, sent_at_ms), told)

        self._turns.hand_in(operation, take)

    async def _call_in_time(self, operation: Operation, timeout_s: float) -> Reply:
        try:
            async with asyncio.timeout(timeout_s):
                return await self.call(operation)
        except TimeoutError:
            raise NoAnswerError(name_of(operation)) from None

    async def _late(
        self, operation: Operation, result: Result, give_up_at: float, sent_at_ms: int
    ) -> Reply:
        return Reply(await self._rest(operation, result, give_up_at), sent_at_ms)

    async def _rest(self, operation: Operation, result: Result, give_up_at: float) -> str:
        """All of the answer, where the first result was not that."""
        result = await self._settled(operation, result, give_up_at)
        if not isinstance(result, Piece):
            return result
        assert isinstance(operation, GetList)
        items = list(result.items)
        while result.end_number is not None:
            more = GetMore(key=operation.key, after=result.last_number, end=result.end_number)
            give_up_at = time.monotonic() + REPEAT_FOR_S
            following = await self._settled(more, await self._turns.run(more), give_up_at)
            assert isinstance(following, Piece)
            result = following
            items += result.items
        return f"[{','.join(items)}]"

    async def _settled(
        self, operation: Operation, result: Result, give_up_at: float
    ) -> str | Piece:
        """What the operation came to; as long as nobody knows, it is repeated.

        What must not be done twice has a request id: if it was done, the repetition gets the first
        answer.
        """
        attempt = 0
        while isinstance(result, ChatstateError):
            pause_s = REFUSED.pause_s(attempt, random)
            if not isinstance(result, PassingError) or time.monotonic() + pause_s >= give_up_at:
                raise result
            await asyncio.sleep(pause_s)
            attempt += 1
            result = await self._turns.run(operation, is_new=False)
        return result


Callback = Callable[[Result], None]


class _Turn:
    """What was called in one turn of a loop."""

    __slots__ = ("callbacks", "is_new", "loop", "operations")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, is_new: bool = True) -> None:
        self.loop = loop
        self.is_new = is_new
        self.operations: list[Operation] = []
        self.callbacks: list[Callback] = []


class _Turns:
    """Hands in together what is called in one turn of an event loop: one job for all of it."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._of_thread = threading.local()  # a thread runs one loop at a time

    def run(self, operation: Operation, *, is_new: bool = True) -> "asyncio.Future[Result]":
        """Have an operation carried out; the future never fails.

        Args:
            operation: to be carried out.
            is_new: it was never handed in before.

        Raises:
            InsideTransactionError: this thread runs the loop inside a transaction.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.hand_in(operation, partial(resolve, future), is_new=is_new)
        return future

    def hand_in(self, operation: Operation, callback: Callback, *, is_new: bool = True) -> None:
        """``run``, for one who is called with the result.

        Raises:
            InsideTransactionError: this thread runs the loop inside a transaction.
        """
        loop = asyncio.get_running_loop()
        turn: _Turn | None = getattr(self._of_thread, "turn", None)
        if turn is None or turn.loop is not loop:  # of one that ended before its turn did
            _refuse_thread_inside_atomic()  # as long as the loop runs nothing changes that
            turn = self._of_thread.turn = _Turn(loop)
            loop.call_soon(self._end, turn)
        turn.is_new = turn.is_new and is_new
        turn.operations.append(operation)
        turn.callbacks.append(callback)

    def _end(self, turn: _Turn) -> None:
        self._of_thread.turn = None
        is_whole = len(get_settings().shards) == 1 or len(turn.operations) == 1
        for part in [turn] if is_whole else _by_shard(turn):
            callback = partial(_resolve, part.callbacks)
            start(self._namespace, part.operations, callback, is_new=part.is_new)


def _by_shard(turn: _Turn) -> Iterable[_Turn]:
    """Apart, so that a shard that is slow holds up no other."""
    parts: defaultdict[str, _Turn] = defaultdict(partial(_Turn, turn.loop, is_new=turn.is_new))
    for operation, callback in zip(turn.operations, turn.callbacks, strict=True):
        try:
            part = parts[shard_of(operation)]
        except ChatstateError as error:
            callback(error)
        else:
            part.operations.append(operation)
            part.callbacks.append(callback)
    return parts.values()


def _resolve(callbacks: Sequence[Callback], results: Sequence[Result]) -> None:
    for callback, result in zip(callbacks, results, strict=True):
        try:
            callback(result)
        except Exception:
            # the others of the turn have a result to hear of as well
            logger.exception("a result could not be taken")


def _refuse_caller_inside_atomic() -> None:
    for alias in get_settings().shards.values():
        if is_caller_in_atomic(alias):
            raise InsideTransactionError(alias=alias)


def _refuse_thread_inside_atomic() -> None:
    for alias in database_aliases():
        if is_loop_thread_in_atomic(alias):
            raise InsideTransactionError(alias=alias)
