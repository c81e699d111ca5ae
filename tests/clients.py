"""Clients in the process of the test, without a server between: ASGI messages go back and forth.

What a server adds (framing, limits of frames, closing handshakes) is tested with a served site.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from livesync.protocol.events import Event
from livesync.protocol.rpc import RequestId
from tests.factories import option, wire_events

DEADLINE_S = 60.0
"""Generous: only what will never come uses it up."""

HTTP_RESPONSES: dict[str, dict[str, Any]] = {"websocket.http.response": {}}
"""The extension by which a server can refuse a handshake with a body, and says all close codes."""

DISCONNECT = {"type": "websocket.disconnect", "code": 1000}

SUCCESS = {"_tag": "Success"}
"""The exit of a pull that has come to its end."""

PUSHED = {"_tag": "Success", "value": {}}
"""The exit of a push that was stored."""


class ClosedError(Exception):
    """The application closed the socket; the code says why."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"closed with {code}")


class RefusedError(Exception):
    """The handshake was answered with an HTTP error."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        self.body = body
        super().__init__(f"{status}: {body}")


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until ``condition()`` holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 (what it waits for sets no event)
            await asyncio.sleep(0.001)


def sync_query(store_id: str, transport: str, payload: object = None) -> bytes:
    """The query of a sync URL."""
    parameters = {"storeId": store_id, "transport": transport}
    if payload is not None:
        parameters["payload"] = json.dumps(payload)
    return urlencode(parameters).encode()


def make_scope(kind: str, query: bytes, headers: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """An ASGI scope of a client on this machine."""
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": query,
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in {"host": "localhost", **headers}.items()
        ],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
        **more,
    }


class Socket:
    """One WebSocket to an ASGI application in this loop.

    Clearing ``takes_frames`` holds the server back: the application's sends wait, as they do when a
    peer reads nothing and the buffers between are full.
    """

    def __init__(
        self,
        application: Any,
        query: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
        client: tuple[str, int] | None = ("127.0.0.1", 50_000),
    ) -> None:
        self._application = application
        self._scope = make_scope(
            "websocket",
            query,
            headers or {},
            scheme="ws",
            subprotocols=[],
            extensions=HTTP_RESPONSES if extensions is None else extensions,
            client=client,
        )
        self._to_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.takes_frames = asyncio.Event()
        self.takes_frames.set()

    async def open(self) -> Self:
        """Shake hands.

        Raises:
            RefusedError: the application refused; 403 with no body if it just closed.
        """
        self._to_application.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(
            self._application(self._scope, self._to_application.get, self._take)
        )
        message = await self.receive_message()
        if message["type"] == "websocket.accept":
            return self
        if message["type"] == "websocket.close":
            raise RefusedError(403, "")
        body = await self.receive_message()
        raise RefusedError(message["status"], body["body"].decode())

    async def __aenter__(self) -> Self:
        try:
            return await self.open()
        except BaseException:
            await self.hang_up()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close from this side, and wait until the application has let go."""
        self.takes_frames.set()
        self._to_application.put_nowait(DISCONNECT)
        if self._task is not None:
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.wait({self._task})
            if not self._task.cancelled():  # which is how it gives up a peer that reads nothing
                self._task.result()

    def send_text(self, text: str) -> None:
        self._to_application.put_nowait({"type": "websocket.receive", "text": text})

    def send_bytes(self, data: bytes) -> None:
        self._to_application.put_nowait({"type": "websocket.receive", "bytes": data, "text": None})

    def send_json(self, value: Any) -> None:
        self.send_text(json.dumps(value, separators=(",", ":")))

    async def receive(self) -> Any:
        """The next frame as JSON values.

        Raises:
            ClosedError: the application closed the socket instead.
        """
        message = await self.receive_message()
        if message["type"] == "websocket.close":
            raise ClosedError(message["code"])
        return json.loads(message["text"])

    async def receive_message(self) -> dict[str, Any]:
        """The next ASGI message of the application; its own end is an error here."""
        assert self._task is not None
        getting = asyncio.ensure_future(self._from_application.get())
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.wait({getting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            self._task.result()
            raise AssertionError("the application ended without another word")
        return getting.result()

    @property
    def is_silent(self) -> bool:
        """Whether the application has sent nothing that was not received here."""
        return self._from_application.empty()

    async def _take(self, message: dict[str, Any]) -> None:
        await self.takes_frames.wait()
        self._from_application.put_nowait(message)
        if message["type"] == "websocket.close":
            self._to_application.put_nowait(DISCONNECT | {"code": message.get("code", 1000)})


class SyncClient(Socket):
    """A LiveStore client on one store; it acknowledges nothing by itself."""

    def __init__(
        self, application: Any, store_id: str, *, payload: object = None, **options: Any
    ) -> None:
        super().__init__(application, sync_query(store_id, "ws", payload), **options)
        self.store_id = store_id
        self._last_id = 0
        self._waiting: defaultdict[RequestId, deque[Any]] = defaultdict(deque)

    def push(
        self,
        batch: Iterable[Event],
        *,
        backend_id: str | None = None,
        request_id: RequestId | None = None,
    ) -> RequestId:
        """Send a push; returns the id of the request."""
        payload = {"batch": wire_events(batch), "backendId": option(backend_id)}
        return self.request("SyncWsRpc.Push", payload, request_id)

    def pull(
        self,
        cursor: tuple[str, int] | None = None,
        *,
        live: bool = False,
        request_id: RequestId | None = None,
    ) -> RequestId:
        """Send a pull behind ``cursor``, a backend id and a number; returns the request's id."""
        payload = {"live": live, "cursor": option(wire_cursor(cursor))}
        return self.request("SyncWsRpc.Pull", payload, request_id)

    def request(
        self, tag: str, payload: Mapping[str, Any], request_id: RequestId | None = None
    ) -> RequestId:
        """Send any request on the client's store."""
        if request_id is None:
            self._last_id += 1
            request_id = str(self._last_id)
        self.send_json(
            {
                "_tag": "Request",
                "id": request_id,
                "tag": tag,
                "payload": {"storeId": self.store_id, **payload},
                "headers": [],
            }
        )
        return request_id

    def ack(self, request_id: RequestId) -> None:
        self.send_json({"_tag": "Ack", "requestId": request_id})

    def interrupt(self, request_id: RequestId) -> None:
        self.send_json({"_tag": "Interrupt", "requestId": request_id})

    async def ping(self) -> None:
        """Ping and wait for the Pong; what else comes meanwhile is kept for ``answer``."""
        self.send_json({"_tag": "Ping"})
        while (message := await self.receive())["_tag"] != "Pong":
            self._waiting[message["requestId"]].append(message)

    async def answer(self, request_id: RequestId) -> Any:
        """The next message for this request; those for others are kept for their turn."""
        while not self._waiting[request_id]:
            message = await self.receive()
            self._waiting[message.get("requestId", message["_tag"])].append(message)
        return self._waiting[request_id].popleft()

    async def page(self, request_id: RequestId, *, ack: bool = True) -> Any:
        """The next page of a pull."""
        message = await self.answer(request_id)
        assert message["_tag"] == "Chunk", message
        if ack:
            self.ack(request_id)
        (value,) = message["values"]
        return value

    async def exit(self, request_id: RequestId) -> Any:
        """The end of a request."""
        message = await self.answer(request_id)
        assert message["_tag"] == "Exit", message
        return message["exit"]

    async def numbers(self, request_id: RequestId, count: int) -> list[int]:
        """The numbers of the next ``count`` events of a pull, at least; every page is acked."""
        found: list[int] = []
        while len(found) < count:
            found += page_numbers(await self.page(request_id))
        return found


class Response:
    """An answer over HTTP."""

    def __init__(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = {
            name.decode().lower(): value.decode() for name, value in messages[0]["headers"]
        }
        self.parts = [message["body"] for message in messages[1:] if message.get("body")]

    @property
    def text(self) -> str:
        return b"".join(self.parts).decode()

    @property
    def messages(self) -> list[Any]:
        """The body as the messages of the RPC."""
        value = json.loads(self.text)
        assert isinstance(value, list)
        return value


async def call_http(
    application: Any,
    query: bytes,
    body: object = b"",
    *,
    method: str = "POST",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    client: tuple[str, int] | None = ("127.0.0.1", 50_000),
) -> Response:
    """Make one HTTP request; a body that is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    sent = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    more = {"scheme": "http", "method": method, "path": path, "client": client}
    scope = make_scope("http", query, sent, **more)
    to_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    to_application.put_nowait({"type": "http.request", "body": data, "more_body": False})
    messages: list[Mapping[str, Any]] = []

    async def take(message: Mapping[str, Any]) -> None:
        messages.append(message)

    async with asyncio.timeout(DEADLINE_S):
        await application(scope, to_application.get, take)
    return Response(messages)


class HttpClient:
    """A LiveStore client over HTTP on one store."""

    def __init__(
        self,
        application: Any,
        store_id: str,
        *,
        payload: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._application = application
        self._query = sync_query(store_id, "http", payload)
        self._headers = headers or {}
        self.store_id = store_id

    async def send(self, body: object, **options: Any) -> Response:
        """Post a body, whatever it is."""
        return await call_http(
            self._application, self._query, body, **{"headers": self._headers} | options
        )

    async def push(self, batch: Iterable[Event], *, backend_id: str | None = None) -> Any:
        """The exit of a push."""
        payload = {"batch": wire_events(batch), "backendId": option(backend_id)}
        (answer,) = (await self.send(self.request("SyncHttpRpc.Push", payload))).messages
        return answer["exit"]

    async def pull(self, cursor: tuple[str, int] | None = None) -> list[Any]:
        """All messages of a pull."""
        payload = {"cursor": option(wire_cursor(cursor))}
        return (await self.send(self.request("SyncHttpRpc.Pull", payload))).messages

    def request(
        self, tag: str, payload: Mapping[str, Any], request_id: RequestId = "1"
    ) -> dict[str, Any]:
        """A request as a body."""
        return {
            "_tag": "Request",
            "id": request_id,
            "tag": tag,
            "payload": {"storeId": self.store_id, **payload},
            "headers": [],
        }


def wire_cursor(cursor: tuple[str, int] | None) -> dict[str, Any] | None:
    """A cursor as a client sends it."""
    return cursor and {"backendId": cursor[0], "eventSequenceNumber": cursor[1]}


def page_numbers(page: Mapping[str, Any]) -> list[int]:
    """The numbers of a page's events."""
    return [item["eventEncoded"]["seqNum"] for item in page["batch"]]


def error_of(exit: Mapping[str, Any]) -> Any:
    """The typed error of a failed exit, in either dialect."""
    cause = exit["cause"][0] if isinstance(exit["cause"], list) else exit["cause"]
    assert cause["_tag"] == "Fail", cause
    return cause["error"]
