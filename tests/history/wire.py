"""A client of the sync protocol: pushes and pulls over WebSocket and over HTTP.

It sends what the reference client sends (string request ids, an Ack for each chunk, a Ping every
interval) and takes whatever the protocol allows. It retries nothing: each call is one request
with one outcome.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.protocol import State

from tests.history.history import Refusal

PING_INTERVAL_S = 10.0
"""The reference client's; a connection that was silent that long is given up."""

ANSWER_TIMEOUT_S = 60.0
"""How long an answer may take, or the next page of a read."""

Message = dict[str, Any]
"""A decoded message or event of the protocol."""

# unique in this process and ascending on each socket, as the reference client's
_request_ids = itertools.count()


class CutError(Exception):
    """The connection ended, or nothing came: what became of the request is unknown."""


class NotSentError(CutError):
    """There was no connection any more when the request was to be sent: it never went out."""


class RefusedError(Exception):
    """The server answered with an error of this request."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


@dataclass(frozen=True, slots=True)
class Cursor:
    """The history and the last number in it that a client has seen."""

    backend_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a pull; ``last`` means NoMore."""

    backend_id: str
    events: tuple[Message, ...]
    last: bool


class Link(Protocol):
    """A way to one store on one server."""

    async def push(self, batch: Sequence[Message], backend_id: str | None) -> None:
        """Return when the push was acknowledged.

        Raises:
            RefusedError: it was refused.
            NotSentError: the server cannot know of it.
            CutError: nobody knows.
        """

    def pull(self, cursor: Cursor | None, *, live: bool = False) -> AsyncGenerator[Page, None]:
        """The pages after ``cursor``; a live pull goes on until it is cut or closed.

        Raises:
            RefusedError: it was refused.
            CutError: it did not come to its end.
        """


class WebSocketLink:
    """One socket. Made by ``open_websocket``."""

    def __init__(self, socket: ClientConnection, store_id: str) -> None:
        self._socket = socket
        self._store_id = store_id
        self._waiting: dict[str, asyncio.Queue[Message | None]] = {}
        self._heard = True
        self._end = "the connection ended"

    async def push(self, batch: Sequence[Message], backend_id: str | None) -> None:
        payload = push_payload(self._store_id, batch, backend_id)
        async with aclosing(self._ask("SyncWsRpc.Push", payload)) as messages:
            async for message in messages:
                read_exit(message)

    async def pull(
        self, cursor: Cursor | None, *, live: bool = False
    ) -> AsyncGenerator[Page, None]:
        payload = {**pull_payload(self._store_id, cursor), "live": live}
        async with aclosing(self._ask("SyncWsRpc.Pull", payload, patient=live)) as messages:
            async for message in messages:
                if message["_tag"] == "Exit":
                    read_exit(message)
                    return
                for page in read_chunk(message):
                    yield page
                await self._send({"_tag": "Ack", "requestId": message["requestId"]})

    async def receive(self) -> None:
        """Sort what arrives by request until the socket ends."""
        try:
            async for frame in self._socket:
                self._heard = True
                self._route(msgspec.json.decode(frame))
        except WebSocketException as error:
            self._end = str(error)
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            self._end = f"a frame that is no message: {error!r}"
        finally:
            self._cut_all()

    async def keep_alive(self) -> None:
        """Ping at once and every interval; close the socket when a whole interval was silent."""
        while self._heard:
            self._heard = False
            with suppress(CutError):
                await self._send({"_tag": "Ping"})
            await asyncio.sleep(PING_INTERVAL_S)
        self._end = "no answer to a Ping"
        await self._socket.close()

    def _route(self, message: Message) -> None:
        if message["_tag"] == "Defect":
            self._end = f"defect: {message['defect']}"
            self._cut_all()
        elif message["_tag"] in {"Chunk", "Exit"} and message["requestId"] in self._waiting:
            self._waiting[message["requestId"]].put_nowait(message)

    def _cut_all(self) -> None:
        for queue in self._waiting.values():
            queue.put_nowait(None)

    async def _ask(
        self, tag: str, payload: Message, *, patient: bool = False
    ) -> AsyncGenerator[Message, None]:
        """Send a request; all its messages, the Exit last."""
        request_id = str(next(_request_ids))
        queue = self._waiting[request_id] = asyncio.Queue()
        finished = False
        try:
            await self._send(request(request_id, tag, payload))
            while not finished:
                message = await self._next(queue, timeout_s=None if patient else ANSWER_TIMEOUT_S)
                finished = message["_tag"] == "Exit"
                yield message
        finally:
            del self._waiting[request_id]
            if not finished:
                with suppress(CutError):
                    await self._send({"_tag": "Interrupt", "requestId": request_id})

    async def _next(self, queue: asyncio.Queue[Message | None], timeout_s: float | None) -> Message:
        try:
            async with asyncio.timeout(timeout_s):
                message = await queue.get()
        except TimeoutError:
            raise CutError(f"no answer in {timeout_s} s") from None
        if message is None:
            raise CutError(self._end)
        return message

    async def _send(self, message: Message) -> None:
        if self._socket.state is not State.OPEN:
            raise NotSentError(self._end)
        try:
            await self._socket.send(msgspec.json.encode(message).decode())
        except WebSocketException as error:
            raise CutError(str(error)) from error


@asynccontextmanager
async def open_websocket(url: str, store_id: str) -> AsyncIterator[WebSocketLink]:
    """Open a socket to a store; ``url`` is the server's, with http or ws.

    Raises:
        CutError: there is no connection to be had.
    """
    address = url.replace("http", "ws", 1) if url.startswith("http") else url
    try:
        socket = await connect(
            sync_url(address, store_id, "ws"),
            compression=None,
            max_size=None,
            ping_interval=None,
            close_timeout=1,
            proxy=None,
        )
    except (OSError, TimeoutError, InvalidHandshake, WebSocketException) as error:
        raise CutError(f"no connection: {error}") from error
    link = WebSocketLink(socket, store_id)
    tasks = [asyncio.ensure_future(link.receive()), asyncio.ensure_future(link.keep_alive())]
    try:
        yield link
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await socket.close()


class HttpLink:
    """One HTTP client. Made by ``open_http``. Its pulls are never live."""

    def __init__(self, client: httpx.AsyncClient, url: str, store_id: str) -> None:
        self._client = client
        self._url = sync_url(url, store_id, "http")
        self._store_id = store_id

    async def push(self, batch: Sequence[Message], backend_id: str | None) -> None:
        payload = push_payload(self._store_id, batch, backend_id)
        for message in await self._ask("SyncHttpRpc.Push", payload):
            read_exit(message)

    async def pull(
        self, cursor: Cursor | None, *, live: bool = False
    ) -> AsyncGenerator[Page, None]:
        if live:
            raise ValueError("there is no live pull over HTTP, only polling")
        for message in await self._ask("SyncHttpRpc.Pull", pull_payload(self._store_id, cursor)):
            if message["_tag"] == "Exit":
                read_exit(message)
            else:
                for page in read_chunk(message):
                    yield page

    async def _ask(self, tag: str, payload: Message) -> list[Message]:
        body = msgspec.json.encode(request(str(next(_request_ids)), tag, payload))
        headers = {"content-type": "application/json", "x-livestore-store-id": self._store_id}
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
            answer.raise_for_status()
            messages = msgspec.json.decode(answer.content, type=list[Message])
        except httpx.ConnectError as error:
            raise NotSentError(repr(error)) from error
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            raise CutError(repr(error)) from error
        if not messages or messages[-1]["_tag"] != "Exit":
            raise CutError(f"no Exit, but {messages[-1:]}")
        return messages


@asynccontextmanager
async def open_http(url: str, store_id: str) -> AsyncIterator[HttpLink]:
    """A link that connects when it is first used; ``url`` is the server's, with http."""
    # no certificates: to load them takes longer than to push, and loopback is plain http
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=ANSWER_TIMEOUT_S) as client:
        yield HttpLink(client, url, store_id)


def sync_url(url: str, store_id: str, transport: str) -> str:
    """The address of a store."""
    return f"{url}/?{urlencode({'storeId': store_id, 'transport': transport})}"


def request(request_id: str, tag: str, payload: Message) -> Message:
    return {"_tag": "Request", "id": request_id, "tag": tag, "payload": payload, "headers": []}


def push_payload(store_id: str, batch: Iterable[Message], backend_id: str | None) -> Message:
    return {"storeId": store_id, "batch": list(batch), "backendId": option(backend_id)}


def pull_payload(store_id: str, cursor: Cursor | None) -> Message:
    seen = cursor and {"backendId": cursor.backend_id, "eventSequenceNumber": cursor.seq}
    return {"storeId": store_id, "cursor": option(seen)}


def option(value: object) -> Message:
    return {"_tag": "None"} if value is None else {"_tag": "Some", "value": value}


def read_chunk(message: Mapping[str, Any]) -> list[Page]:
    """The pages of a Chunk."""
    return [
        Page(
            backend_id=value["backendId"],
            events=tuple(item["eventEncoded"] for item in value["batch"]),
            last=value["pageInfo"]["_tag"] == "NoMore",
        )
        for value in message["values"]
    ]


def read_exit(message: Mapping[str, Any]) -> None:
    """Return for a Success.

    Raises:
        RefusedError: for a Fail or a Die.
        CutError: for an interruption, which says nothing about what happened.
    """
    if message["exit"]["_tag"] == "Success":
        return
    cause = message["exit"]["cause"]
    if cause["_tag"] == "Fail":
        error = cause["error"]
        raise RefusedError(
            Refusal(
                tag=error["_tag"],
                head=error.get("minimumExpectedNum"),
                backend_id=error.get("expected"),
                note="" if error["_tag"] != "UnknownError" else str(error.get("cause")),
            )
        )
    if cause["_tag"] == "Die":
        raise RefusedError(Refusal(tag="Die", note=str(cause["defect"])))
    raise CutError(f"interrupted: {cause}")
