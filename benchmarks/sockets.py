"""The WebSocket side of the load generator."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks import wire
from benchmarks.servers import Server

MAX_FRAME_BYTES = 16 * 1024 * 1024

OnChunk = Callable[[list[wire.Page]], None]


class SyncSocket(WSListener):
    """One socket on one store, with any number of requests in flight.

    Every Chunk is acknowledged as soon as it is there. When the connection ends, whatever is
    pending fails with ``WireError``, so that no scenario waits for ever.
    """

    def __init__(self, store_id: str) -> None:
        self.store_id = store_id
        self._ids = map(str, itertools.count())
        self._exits: dict[str, asyncio.Future[wire.Exit]] = {}
        self._pulls: dict[str, tuple[bytes, OnChunk]] = {}
        self._transport: WSTransport

    async def push(self, events: str, *, backend_id: str) -> None:
        """Push a JSON array of events; back when it is acknowledged.

        Raises:
            ServerAheadError: the batch does not continue the eventlog.
            WireError: any other failure.
        """
        request_id = next(self._ids)
        request = wire.push_request(request_id, self.store_id, events, backend_id=backend_id)
        wire.require_success(await self._request(request_id, request))

    def pull(
        self, on_chunk: OnChunk, *, cursor: tuple[str, int] | None = None, live: bool = False
    ) -> asyncio.Future[wire.Exit]:
        """Ask for the events after ``cursor``; the future is done when the pull has ended."""
        request_id = next(self._ids)
        self._pulls[request_id] = wire.ack(request_id), on_chunk
        request = wire.pull_request(request_id, self.store_id, cursor=cursor, live=live)
        return self._request(request_id, request)

    def _request(self, request_id: str, request: bytes) -> asyncio.Future[wire.Exit]:
        end: asyncio.Future[wire.Exit] = asyncio.get_running_loop().create_future()
        self._exits[request_id] = end
        self._transport.send(WSMsgType.TEXT, request)
        return end

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self._fail(wire.WireError(f"the server closed with {frame.get_close_code()}"))
        elif frame.msg_type != WSMsgType.TEXT or not frame.fin:
            self._fail(wire.WireError(f"an unexpected frame: {frame}"))
        else:
            self._receive(frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._fail(wire.WireError("the connection ended"))

    def _receive(self, text: bytes) -> None:
        try:
            self._take(wire.decode_answer(text))
        except (wire.WireError, msgspec.MsgspecError, KeyError) as error:
            self._fail(wire.WireError(f"{error!r} on {text[:500]!r}"))

    def _take(self, answer: wire.Answer) -> None:
        if answer.tag == "Chunk":
            ack, on_chunk = self._pulls[answer.request_id]
            self._transport.send(WSMsgType.TEXT, ack)
            on_chunk(answer.values)
        elif answer.tag == "Exit" and answer.exit is not None:
            self._exits.pop(answer.request_id).set_result(answer.exit)
        else:
            raise wire.WireError("an unexpected answer")

    def _fail(self, reason: wire.WireError) -> None:
        for end in self._exits.values():
            if not end.done():
                end.set_exception(reason)
        self._exits.clear()

    async def close(self) -> None:
        """Close the connection; pending requests end without an answer."""
        for end in self._exits.values():
            end.cancel()
        self._exits.clear()
        self._transport.disconnect()
        await self._transport.wait_disconnected()


async def connect(server: Server, store_id: str) -> SyncSocket:
    """Open a socket on ``store_id``, without compression."""
    url = f"ws://{server.address}/?{wire.search_params(store_id, transport='ws')}"
    _, listener = await ws_connect(
        lambda: SyncSocket(store_id), url, max_frame_size=MAX_FRAME_BYTES
    )
    if not isinstance(listener, SyncSocket):
        raise TypeError(listener)
    return listener


@asynccontextmanager
async def connected(server: Server, store_id: str) -> AsyncIterator[SyncSocket]:
    """A socket for the length of a block."""
    socket = await connect(server, store_id)
    try:
        yield socket
    finally:
        await socket.close()


async def pull_pages(
    server: Server, store_id: str, *, cursor: tuple[str, int] | None = None
) -> list[wire.Page]:
    """All pages after ``cursor``, pulled on a socket of their own."""
    pages: list[wire.Page] = []
    async with connected(server, store_id) as socket:
        end = await socket.pull(pages.extend, cursor=cursor)
    wire.require_success(end)
    return pages
