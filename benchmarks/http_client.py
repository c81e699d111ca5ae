"""The HTTP side of the load generator: one kept-alive connection on asyncio and httptools."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import httptools

from benchmarks import wire
from benchmarks.servers import Server
from tests.processes import LOOPBACK


@dataclass(slots=True)
class Response:
    """What came back, and when its pieces did.

    ``arrivals`` holds, per piece, the time of ``perf_counter`` and the body's length by then.
    """

    status: int = 0
    body: bytearray = field(default_factory=bytearray)
    arrivals: list[tuple[float, int]] = field(default_factory=list)

    def arrival_of(self, length: int) -> float:
        """When the first ``length`` bytes of the body were there."""
        return next(moment for moment, so_far in self.arrivals if so_far >= length)


class HttpConnection(asyncio.Protocol):
    """Sends one request at a time and waits for its whole response."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._response = Response()
        self._done: asyncio.Future[Response] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    async def post(self, store_id: str, body: bytes) -> Response:
        """Post one request object to the store's sync URL.

        Raises:
            WireError: the answer is not 200, or the connection ended before it was complete.
        """
        self._parser = httptools.HttpResponseParser(self)
        self._response = Response()
        self._done = asyncio.get_running_loop().create_future()
        head = (
            f"POST /?{wire.search_params(store_id, transport='http')} HTTP/1.1\r\n"
            f"host: {LOOPBACK}\r\ncontent-type: application/json\r\n"
            f"x-livestore-store-id: {store_id}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        response = await self._done
        if response.status != 200:
            raise wire.WireError(f"status {response.status}: {bytes(response.body[:500])!r}")
        return response

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._response.body += body
        self._response.arrivals.append((time.perf_counter(), len(self._response.body)))

    def on_message_complete(self) -> None:
        self._response.status = self._parser.get_status_code()
        if self._done is not None:
            self._done.set_result(self._response)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(wire.WireError(f"the connection ended: {exc}"))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[HttpConnection]:
    """A connection for the length of a block."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(HttpConnection, LOOPBACK, server.process.port)
    try:
        yield connection
    finally:
        connection.close()
