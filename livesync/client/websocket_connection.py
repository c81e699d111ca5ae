"""One WebSocket to a store: requests out, answers in, signs of life."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import suppress
from ssl import SSLContext

from msgspec import Raw
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    WebSocketException,
)

from groundwork.strict_json import JsonError
from livesync.client.address import Introduction
from livesync.client.calls import MAX_MESSAGE_BYTES, Call, next_request_id, open_chunk, overfull
from livesync.client.errors import ClosedError, LostError, WrongAnswerError, refusal
from livesync.client.link import Sent
from livesync.protocol import answers, requests
from livesync.protocol.answers import Chunk, Defect, Exit, PulledPage
from livesync.protocol.errors import RemoteError
from livesync.protocol.events import Cursor, Event

_CLOSE_TIMEOUT_S = 1.0
_SILENT_INTERVALS = 2
_TOO_BIG = 1009


class WebSocketConnection:
    """An open WebSocket. Made by ``open_websocket``; ``error`` says why it is of no use any more.

    Args:
        socket: behind its handshake.
        store_id: the store of its URL.
        payload: of its URL.
        ping_interval_s: how often to ask for a sign of life.
    """

    def __init__(
        self,
        socket: ClientConnection,
        store_id: str,
        payload: Raw | None,
        *,
        ping_interval_s: float,
    ) -> None:
        self.error: Exception | None = None
        self._socket = socket
        self._store_id = store_id
        self._payload = payload
        self._ping_interval_s = ping_interval_s
        self._calls: dict[str, Call] = {}
        self._has_heard = False
        self._is_too_large = False
        self._tasks = [
            asyncio.create_task(self._until_lost(self._receive)),
            asyncio.create_task(self._until_lost(self._keep_alive)),
        ]

    async def push(self, batch: Sequence[Event], backend_id: str, sent: Sent) -> None:
        """As ``Link.push``."""
        call = self._begin()
        frame = requests.push(
            call.request_id, self._store_id, batch, backend_id, payload=self._payload
        )
        try:
            sent()
            await self._send(frame)
            while await call.next_chunk() is not None:
                pass  # a push has none
        except LostError as error:
            if self._is_too_large:
                raise RemoteError(str(error), name="TooLarge") from error
            raise
        finally:
            self._calls.pop(call.request_id, None)

    async def pull(self, cursor: Cursor | None, *, live: bool) -> AsyncGenerator[PulledPage, None]:
        """As ``Link.pull``."""
        call = self._begin()
        frame = requests.pull(
            call.request_id, self._store_id, cursor, live=live, payload=self._payload
        )
        try:
            await self._send(frame)
            while (values := await call.next_chunk()) is not None:
                for page in open_chunk(values):
                    yield page
        finally:
            if self._calls.pop(call.request_id, None) is not None:
                await self._interrupt(call.request_id)

    async def close(self) -> None:
        """Close in good order."""
        self._lose(ClosedError())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    def _begin(self) -> Call:
        if self.error is not None:
            raise LostError(str(self.error))
        call = Call(next_request_id())
        self._calls[call.request_id] = call
        return call

    async def _send(self, frame: bytes) -> None:
        try:
            await self._socket.send(frame, text=True)
        except ConnectionClosed as error:
            raise LostError(str(error)) from error

    async def _interrupt(self, request_id: str) -> None:
        with suppress(LostError):
            await self._send(requests.interrupt(request_id))

    async def _receive(self) -> None:
        while True:
            frame = await self._socket.recv(decode=False)
            self._has_heard = True
            answer = answers.read_answer(frame)
            match answer:
                case Chunk():
                    await self._take(answer)
                case Exit(request_id, error):
                    self._finish(request_id, error)
                case Defect(reason):
                    raise LostError(f"the server could not read something: {reason}")

    async def _take(self, chunk: Chunk) -> None:
        call = self._calls.get(chunk.request_id)
        if call is None:
            return  # of a request that was given up
        if call.put(chunk.values):
            await self._send(requests.ack(chunk.request_id))
        else:
            self._finish(chunk.request_id, overfull())
            await self._interrupt(chunk.request_id)

    def _finish(self, request_id: str, error: Exception | None) -> None:
        if isinstance(error, RemoteError) and error.leaves_doubt:
            error = LostError(str(error))
        call = self._calls.pop(request_id, None)
        if call is not None:
            call.end(error)

    async def _keep_alive(self) -> None:
        silent = 0
        while silent < _SILENT_INTERVALS:
            self._has_heard = False
            await self._send(requests.PING)
            await asyncio.sleep(self._ping_interval_s)
            # not at once: a loop that was busy for an interval has had no time to listen
            silent = 0 if self._has_heard else silent + 1
        raise LostError("the server gives no sign of life")

    async def _until_lost(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await work()
        except ConnectionClosed as error:
            self._lose(self._why_closed(error))
        except JsonError as error:
            self._lose(WrongAnswerError(f"a frame that is no answer: {error}"))
        except LostError as error:
            self._lose(error)
        except Exception as error:
            self._lose(LostError(f"a fault of the client: {error!r}"))
            raise

    def _lose(self, error: Exception) -> None:
        if self.error is None:
            self.error = error
            if not isinstance(error, ClosedError):
                self._socket.transport.abort()  # a peer like that would answer no closing handshake
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.end(error)

    def _why_closed(self, error: ConnectionClosed) -> Exception:
        if error.sent is not None and error.sent.code == _TOO_BIG and not error.rcvd_then_sent:
            return WrongAnswerError(f"a frame of more than {MAX_MESSAGE_BYTES} bytes")
        self._is_too_large = error.rcvd is not None and error.rcvd.code == _TOO_BIG
        return LostError(f"the connection was closed: {error}")


async def open_websocket(
    introduction: Introduction,
    store_id: str,
    *,
    ssl_context: SSLContext | None,
    connect_timeout_s: float,
    ping_interval_s: float,
) -> WebSocketConnection:
    """Connect.

    Raises:
        AccessRefusedError: the server does not let this client in.
        LostError: any other failure, within ``connect_timeout_s``.
    """
    try:
        async with asyncio.timeout(connect_timeout_s):
            socket = await _shake_hands(introduction, ssl_context)
    except InvalidStatus as error:
        body = bytes(error.response.body or b"")
        raise refusal(error.response.status_code, body) from error
    # UnicodeError: a host name that cannot be one
    except (OSError, UnicodeError, WebSocketException, EOFError) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        raise LostError(f"cannot connect: {reason}") from error
    return WebSocketConnection(
        socket, store_id, introduction.payload, ping_interval_s=ping_interval_s
    )


class _ConnectHere(connect):
    """Follows no redirect: the headers and the events are for the server that was named."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def _shake_hands(introduction: Introduction, ssl: SSLContext | None) -> ClientConnection:
    return await _ConnectHere(
        introduction.url,
        additional_headers=introduction.headers,
        compression=None,
        max_size=MAX_MESSAGE_BYTES,
        ping_interval=None,  # the protocol has its own sign of life
        open_timeout=None,
        close_timeout=_CLOSE_TIMEOUT_S,
        proxy=None,
        ssl=(ssl or True) if introduction.url.startswith("wss:") else None,
    )
