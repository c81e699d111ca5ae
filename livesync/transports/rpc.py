"""RPC in the process: a store called with the bytes that LiveStore's RPC client sends.

What a Durable Object's stub is to the original: ``rpc(bytes)`` gives bytes, or for a pull a stream
of bytes, each a whole message. A live pull goes on when its stream has been read to the end: what
is stored from then on is handed to ``sync_update_rpc``, each event once and in order.

    async with StoreRpc("notes", sync_update_rpc=take) as notes:
        answer = await notes.rpc(request)

Source: LiveStore sync-cf 0.4.0, ``cf-worker/do/transport/do-rpc-server.ts``, and common-cf 0.4.0,
``do-rpc/server.ts``.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from types import TracebackType
from typing import Any, Self

from groundwork.connections import refuse_inside_atomic
from livesync.conf import get_settings
from livesync.hooks import Context
from livesync.protocol import records, rpc
from livesync.protocol.binding import Binding
from livesync.protocol.calls import RPC_PROCEDURES, Pull
from livesync.protocol.errors import LimitError
from livesync.protocol.packed_pages import pack
from livesync.protocol.packed_pushes import unpack
from livesync.protocol.records import RecordsError
from livesync.protocol.rpc import Malformed, Message
from livesync.services.connection import Connection
from livesync.transports.answers import Asked, carry_out, read_calls, speaks_for_another
from livesync.transports.live_call import LiveCall

Update = dict[str, Any]
TakeUpdate = Callable[[Update], Awaitable[None]]
TakeUpdateBytes = Callable[[bytes, str], Awaitable[None]]

_LARGE_BYTES = 32_768


def read_messages(data: bytes) -> list[Message]:
    """Read the bytes of a request: one message, or an array of up to 16. Never raises."""
    tuned = get_settings()
    most = tuned.frame_max_bytes
    if len(data) > most:
        return [Malformed(f"not a message: it has more than {most} bytes")]
    depth = tuned.args_max_depth + tuned.payload_max_depth
    try:
        text, batch = unpack(data, max_chars=most, max_depth=depth)
    except RecordsError as error:
        return [Malformed(f"not a message: {error}")]
    match rpc.read_messages(text):
        case [rpc.Request() as request] if batch is not None:
            return [request._replace(batch=batch)]
        case messages:
            return messages


async def read_request(data: bytes) -> list[Message]:
    """``read_messages``; much is read in a thread, where it may be made to take half a second.

    There is one thread for it: what is read there for one keeps others waiting, not the loop.
    """
    if len(data) <= _LARGE_BYTES:
        return read_messages(data)
    return await asyncio.get_running_loop().run_in_executor(_get_thread(), read_messages, data)


@cache
def _get_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="livesync-rpc")


def answer_with(
    asked: Sequence[Asked], connection: Connection
) -> AsyncIterator[bytes] | Awaitable[bytes]:
    """What ``asked`` comes to: for a pull a stream of messages, else all answers in one."""
    answers = carry_out(asked, connection, frame_page=rpc.rpc_chunk)
    if any(isinstance(call, Pull) for call in asked):
        return _each(answers)
    return _all(answers)


class StoreRpc:
    """One store, called by RPC from this process; an async context manager.

    It is one client, as a socket is: all who call it have the same rights, and may end each
    other's live pulls by naming the same caller. Open one for each that shall not.

    Args:
        store: the store's id, for calls in the site's own name; or who asks, as
            ``livesync.services.site.admit`` gives it. Messages that name another store are refused.
        sync_update_rpc: awaited with each update of a live pull, ``{"_tag": "Chunk", "requestId":
            ..., "values": [a PullResponse]}``; where a live pull fails, such as after a reset, the
            last is its ``Exit``. While it runs nothing else is handed over, and little is kept for
            it: a slow one is read for. If it raises, the live pull ends.
        sync_update_rpc_bytes: the same for the next generation of clients, which take a message's
            bytes and the store's id.
    """

    def __init__(
        self,
        store: str | Context,
        *,
        sync_update_rpc: TakeUpdate | None = None,
        sync_update_rpc_bytes: TakeUpdateBytes | None = None,
    ) -> None:
        if isinstance(store, str):
            store = Context(store_id=store, transport="rpc", headers={}, stored_store_id=store)
        self.context = store
        self._connection = Connection(store)
        self._binding = Binding(store.store_id, store.payload)
        self._take_object = sync_update_rpc
        self._take_bytes = sync_update_rpc_bytes
        self._live: dict[str, LiveCall] = {}
        self._opening = 0  # live pulls whose stored pages are read
        self._is_closed = False
        self._in_order = asyncio.Lock()

    async def rpc(self, data: bytes) -> bytes | AsyncIterator[bytes]:
        """Carry out a request.

        Args:
            data: a message, or an array of messages, with or without records; at most
                ``frame_max_bytes``, as it is and as JSON.

        Returns:
            The answers; for a pull, and whatever came with it, a stream of them, one after the
            other as the caller takes them.

        Raises:
            CommitUnknownError: a push may have been stored, or not.
            InsideTransactionError: the caller holds a transaction on livesync's database.
        """
        refuse_inside_atomic("livesync")
        async with self._in_order:  # pushes are stored in the order of these calls
            messages = await read_request(data)
        asked = read_calls(messages, procedures=RPC_PROCEDURES, binding=self._binding)
        speaks_for_another(asked, self.context.store_id)
        match asked:
            case [Pull(live=True) as pull] if self._take_object or self._take_bytes:
                return self._pull_live(pull)
        answered = answer_with(asked, self._connection)
        return await answered if isinstance(answered, Awaitable) else answered

    def close(self) -> None:
        """End every live pull; those whose stored pages are being read end with them."""
        self._is_closed = True
        for live in tuple(self._live.values()):
            live.close()
        self._live.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _pull_live(self, pull: Pull) -> AsyncIterator[bytes]:
        caller = pull.caller or ""
        if self._is_full(caller):
            most = get_settings().live_pulls_per_socket
            yield pack(rpc.exit_fail(pull.request_id, LimitError(f"more than {most} live pulls")))
            return
        live = LiveCall(self._connection, pull, self._hand_over)
        self._opening += 1
        try:
            async for answer in live.stored():
                yield pack(answer)
        except BaseException:
            live.close()
            raise
        finally:
            self._opening -= 1
        if live.has_failed or self._is_closed:
            live.close()
            return
        if caller in self._live:
            self._live[caller].close()  # who pulls again has given up the last one
        self._live[caller] = live
        live.go_on().add_done_callback(partial(self._forget, caller, live))

    def _is_full(self, caller: str) -> bool:
        """Whether others have all live pulls; what ``caller`` has makes room for what it asks."""
        others = self._opening + len(self._live.keys() - {caller})
        return others >= get_settings().live_pulls_per_socket

    def _forget(self, caller: str, live: LiveCall, _: object) -> None:
        if self._live.get(caller) is live:
            del self._live[caller]

    async def _hand_over(self, update: str) -> None:
        if self._take_object is not None:
            await self._take_object(json.loads(update))
        if self._take_bytes is not None:
            await self._take_bytes(pack(update), self.context.store_id)


async def _each(answers: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for answer in answers:
        yield pack(answer)


async def _all(answers: AsyncIterator[str]) -> bytes:
    return records.from_json(f"[{','.join([answer async for answer in answers])}]")
