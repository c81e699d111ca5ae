"""One HTTP/1.1 connection: a request out, its answer in pieces."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from ssl import SSLContext, create_default_context
from urllib.parse import urlsplit

import h11

from livesync.client.address import Address
from livesync.client.errors import LostError, WrongAnswerError, refusal

_READ_BYTES = 262_144
_HEAD_MAX_BYTES = 65_536
_REFUSAL_MAX_BYTES = 4_096
_OK = 200


class HttpConnection:
    """Takes one request at a time. Made by ``open_http``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.idle_since = 0.0
        self._reader = reader
        self._writer = writer
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_MAX_BYTES)

    @property
    def is_usable(self) -> bool:
        """Whether another request can be sent."""
        return self._h11.our_state is h11.IDLE and not self._reader.at_eof()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float
    ) -> AsyncGenerator[bytes, None]:
        """Send a request; the pieces of the body of its answer, which is 200.

        Args:
            url: whole.
            headers: besides those that any request has.
            body: JSON.
            timeout_s: how long each wait may take.

        Raises:
            AccessRefusedError: the answer is a refusal.
            LostError: it is another failure, or none came.
            WrongAnswerError: it is not HTTP.
        """
        try:
            async with asyncio.timeout(timeout_s):
                self._send(_request(url, headers, body), h11.Data(body), h11.EndOfMessage())
                await self._writer.drain()
                response = await self._next_event()
            await self._require_success(response, timeout_s)
            while True:
                async with asyncio.timeout(timeout_s):
                    event = await self._next_event()
                if isinstance(event, h11.EndOfMessage):
                    break
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
        except h11.RemoteProtocolError as error:
            if self._reader.at_eof():
                raise LostError("the connection ended within an answer") from error
            raise WrongAnswerError(f"the answer is not HTTP: {error}") from error
        except TimeoutError as error:
            raise LostError("no answer in time") from error
        except OSError as error:
            raise LostError(str(error)) from error
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()

    async def close(self) -> None:
        """Close the connection, whatever is under way."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """The same, without a wait."""
        self._writer.transport.abort()

    def _send(self, *events: h11.Event) -> None:
        for event in events:
            self._writer.write(self._h11.send(event) or b"")

    async def _require_success(self, response: object, timeout_s: float) -> None:
        if not isinstance(response, h11.Response):
            raise LostError("the connection ended without an answer")
        if response.status_code == _OK:
            return
        text = b""
        async with asyncio.timeout(timeout_s):
            while len(text) < _REFUSAL_MAX_BYTES:
                event = await self._next_event()
                if not isinstance(event, h11.Data):
                    break
                text += event.data
        raise refusal(response.status_code, text)

    async def _next_event(self) -> object:
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                self._h11.receive_data(await self._reader.read(_READ_BYTES))
            elif not isinstance(event, h11.InformationalResponse):
                return event


async def open_http(
    address: Address, *, ssl_context: SSLContext | None, connect_timeout_s: float
) -> HttpConnection:
    """Connect.

    Raises:
        LostError: it could not be done within ``connect_timeout_s``.
    """
    ssl = (ssl_context or create_default_context()) if address.is_secure else None
    try:
        async with asyncio.timeout(connect_timeout_s):
            streams = await asyncio.open_connection(address.host, address.port, ssl=ssl)
    except (OSError, UnicodeError) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        raise LostError(f"cannot connect: {reason}") from error
    return HttpConnection(*streams)


def _request(url: str, headers: Mapping[str, str], body: bytes) -> h11.Request:
    parts = urlsplit(url)
    return h11.Request(
        method="POST",
        target=f"{parts.path}?{parts.query}",
        headers=[
            ("host", parts.netloc.rpartition("@")[2]),
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            *headers.items(),
        ],
    )
