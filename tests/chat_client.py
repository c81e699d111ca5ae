"""A client of the chat state protocol, as plain as it can be: what it hears is what was said."""

import asyncio
import json
from collections.abc import Mapping
from itertools import count
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.clients import DEADLINE_S
from tests.site_process import SiteProcess

PATH = "/api/chat/v1/socket"
PASSING = frozenset({"busy", "frozen", "unavailable"})
_RETRY_S = 0.02


class ChatRefusedError(Exception):
    """The server refused an operation; ``code`` says why."""

    def __init__(self, error: Mapping[str, str]) -> None:
        self.code = error["code"]
        super().__init__(error["message"])


class ConnectionLostError(Exception):
    """The socket broke before the answer: nobody knows what became of the operation."""


def create_token(site: SiteProcess, namespace: str = "bot") -> str:
    """A token of the site's, made by its command."""
    return site.manage("create_chat_token", namespace).strip()


class ChatClient:
    """One socket; operations are sent at once, each in a frame of its own."""

    def __init__(self, site: SiteProcess, token: str) -> None:
        self._url = f"{site.ws_url}{PATH}"
        self._token = token
        self._ids = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, again and again until the server is there, and say who we are."""
        await self.close()
        async with asyncio.timeout(DEADLINE_S):
            while self._socket is None:
                try:
                    await self._open()
                except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError):
                    await asyncio.sleep(_RETRY_S)  # until there is a server again

    async def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await asyncio.wait({self._reader})
        self._socket = self._reader = None

    async def do(self, op: str, **members: Any) -> Any:
        """Carry out one operation; its value, or its items.

        Raises:
            ChatRefusedError: it was refused.
            ConnectionLostError: the socket broke before the answer.
        """
        if self._socket is None:
            raise ConnectionLostError
        number = next(self._ids)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps([{"id": number, "op": op, **members}]))
        except ConnectionClosed as error:
            self._waiting.pop(number, None)
            raise ConnectionLostError from error
        async with asyncio.timeout(DEADLINE_S):
            return await future

    async def do_surely(self, op: str, **members: Any) -> Any:
        """Carry it out, connecting and asking again as long as it takes.

        Raises:
            ChatRefusedError: it was refused for good.
        """
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    return await self.do(op, **members)
                except ConnectionLostError:
                    await self.open()
                except ChatRefusedError as error:
                    if error.code not in PASSING:
                        raise
                    await asyncio.sleep(_RETRY_S)  # it passes by itself
        raise AssertionError("it returns or raises")

    async def _open(self) -> None:
        socket = await connect(self._url, max_size=None, compression=None, open_timeout=5)
        await socket.send(json.dumps({"token": self._token}))
        greeting = json.loads(await socket.recv())
        if "error" in greeting:
            raise ChatRefusedError(greeting["error"])
        self._socket = socket
        self._reader = asyncio.create_task(self._read(socket))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                for answer in json.loads(text):
                    self._take(answer)
        except ConnectionClosed:
            pass
        finally:
            waiting, self._waiting = self._waiting, {}
            for future in waiting.values():
                if not future.done():
                    future.set_exception(ConnectionLostError())

    def _take(self, answer: dict[str, Any]) -> None:
        future = self._waiting.pop(answer["id"])
        if future.done():
            return  # its caller has gone
        if "error" in answer:
            future.set_exception(ChatRefusedError(answer["error"]))
        else:
            future.set_result(answer["value"] if "value" in answer else answer["items"])
