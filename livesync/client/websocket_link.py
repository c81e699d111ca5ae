"""The WebSocket transport from the client's side."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from ssl import SSLContext

from livesync.client.address import Address
from livesync.client.errors import ClosedError
from livesync.client.link import Sent
from livesync.client.websocket_connection import WebSocketConnection, open_websocket
from livesync.protocol.answers import PulledPage
from livesync.protocol.events import Cursor, Event


class WebSocketLink:
    """A store over a WebSocket, which is opened when it is first needed and when it was lost.

    Args:
        address: of the store.
        ssl_context: for ``wss``; None: the system's certificates.
        connect_timeout_s: how long one attempt to connect may take.
        ping_interval_s: how often to ask for a sign of life; two without one end the connection.
    """

    def __init__(
        self,
        address: Address,
        *,
        ssl_context: SSLContext | None = None,
        connect_timeout_s: float = 10.0,
        ping_interval_s: float = 10.0,
    ) -> None:
        self._address = address
        self._ssl_context = ssl_context
        self._connect_timeout_s = connect_timeout_s
        self._ping_interval_s = ping_interval_s
        self._connection: WebSocketConnection | None = None
        self._is_closed = False
        self._connecting = asyncio.Lock()

    async def push(self, batch: Sequence[Event], backend_id: str, sent: Sent) -> None:
        await (await self._connected()).push(batch, backend_id, sent)

    async def pull(self, cursor: Cursor | None, *, live: bool) -> AsyncGenerator[PulledPage, None]:
        connection = await self._connected()
        async with aclosing(connection.pull(cursor, live=live)) as pages:
            async for page in pages:
                yield page

    async def close(self) -> None:
        self._is_closed = True
        async with self._connecting:
            connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def check_caller(self) -> None:
        """Anybody may."""

    async def _connected(self) -> WebSocketConnection:
        async with self._connecting:  # all who wait use the one that is made
            if self._is_closed:
                raise ClosedError
            if self._connection is None or self._connection.error is not None:
                await self._connect()
            assert self._connection is not None
            return self._connection

    async def _connect(self) -> None:
        former, self._connection = self._connection, None
        if former is not None:
            await former.close()
        self._connection = await open_websocket(
            self._address.introduce(),
            self._address.store_id,
            ssl_context=self._ssl_context,
            connect_timeout_s=self._connect_timeout_s,
            ping_interval_s=self._ping_interval_s,
        )
