"""The protocol over a WebSocket, one operation in a frame."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from msgspec import UNSET, Raw, UnsetType
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from groundwork.strict_json import JsonError, read
from tests.chat_conformance.subjects.operations import Members, OperationSubject, write
from tests.chat_conformance.subjects.sites import SitePlace
from tests.chat_conformance.subjects.subject import CallFailedError, Place, Subject

PATH = "/api/chat/v1/socket"

_NOTHING = Raw(b"null")


class _Error(msgspec.Struct):
    code: str
    message: str
    field: str | UnsetType = UNSET


class _Answer(msgspec.Struct):
    id: int
    value: Raw = _NOTHING
    items: list[Raw] | UnsetType = UNSET
    more: bool = False
    error: _Error | UnsetType = UNSET


_frame = msgspec.json.Decoder(list[_Answer])


class _Call:
    """A call under way: the pieces of its list so far, and what it comes to."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()


class SocketSubject(OperationSubject):
    """One socket of one namespace."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._ids = itertools.count(1)
        self._calls: dict[int, _Call] = {}
        self._socket: ClientConnection | None = None

    async def connect(self) -> None:
        """Connect and say who we are."""
        self._socket = await connect(self._url, max_size=None, compression=None)
        await self._socket.send(json.dumps({"token": self._token}))
        greeting = json.loads(await self._socket.recv())
        assert greeting["rights"] == ["read", "write"]
        self._reader = asyncio.create_task(self._read(self._socket))

    async def disconnect(self) -> None:
        """Close the socket, if there is one."""
        if self._socket is not None:
            await self._socket.close()
            await self._reader

    async def ask(self, op: str, members: Members) -> str:
        assert self._socket is not None
        number = next(self._ids)
        call = self._calls[number] = _Call()
        await self._socket.send(f"[{write({'id': number, 'op': op, **members})}]")
        return await call.answer

    async def _read(self, socket: ClientConnection) -> None:
        reason: Exception = ConnectionError("the socket was closed")
        try:
            async for frame in socket:
                assert isinstance(frame, str)
                self._receive(frame)
        except (ConnectionClosed, JsonError) as error:
            reason = error
        for call in self._calls.values():
            call.answer.set_exception(reason)

    def _receive(self, frame: str) -> None:
        for answer in read(frame, _frame):
            call = self._calls[answer.id]
            call.items += [str(item, "utf-8") for item in answer.items or ()]
            if not answer.more:
                del self._calls[answer.id]
                _end(call, answer)


class SocketPlace(SitePlace):
    """Sockets of a site."""

    async def make(self, namespace: str, *, port: int | None = None) -> SocketSubject:
        url = f"{self.http_url(port).replace('http', 'ws', 1)}{PATH}"
        return SocketSubject(url, self.token_of(namespace))

    async def forget(self, subject: Subject) -> None:
        await subject.disconnect()


@asynccontextmanager
async def open_sockets(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Sockets of two servers on one PostgreSQL, in turn."""
    tokens = request.getfixturevalue("tokens_postgresql")
    second = request.getfixturevalue("conformance_second_site_postgresql")
    yield SocketPlace(tokens, second)


def _end(call: _Call, answer: _Answer) -> None:
    if answer.error is not UNSET:
        call.answer.set_exception(_failed(answer.error))
    elif answer.items is not UNSET:
        call.answer.set_result(f"[{','.join(call.items)}]")
    else:
        call.answer.set_result(str(answer.value, "utf-8"))


def _failed(error: _Error) -> CallFailedError:
    field = None if error.field is UNSET else error.field
    return CallFailedError(error.message, kind="error", code=error.code, field=field)
