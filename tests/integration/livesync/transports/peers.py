"""Clients of one store that are alike over every transport."""

from collections.abc import Mapping
from typing import Any, Protocol

from livesync.protocol import records
from livesync.storage import get_engine, get_readers
from livesync.transports.routing import websocket_application
from syncsite.sync_handler import SyncHandler
from tests.clients import HttpClient, Response, SyncClient, call_http, sync_query
from tests.clients import RefusedError as HandshakeRefusedError
from tests.rpc_client import MEDIA_TYPE, PATH, RpcClient, decode, split
from tests.storage import STORE


class Peer(Protocol):
    """A client of one store over some transport."""

    async def push(self, batch: Any, *, backend_id: str | None = None) -> Any:
        """The exit of a push."""

    async def pull(self, cursor: tuple[str, int] | None = None) -> tuple[list[int], Any]:
        """The numbers that a pull gives, and its exit."""


class SocketPeer:
    """Over a WebSocket, which stays open."""

    def __init__(self, client: SyncClient) -> None:
        self.client = client

    async def push(self, batch: Any, **options: Any) -> Any:
        return await self.client.exit(self.client.push(batch, **options))

    async def pull(self, cursor: tuple[str, int] | None = None) -> tuple[list[int], Any]:
        request_id = self.client.pull(cursor)
        numbers: list[int] = []
        while (message := await self.client.answer(request_id))["_tag"] == "Chunk":
            numbers += _numbers(message)
            self.client.ack(request_id)
        return numbers, message["exit"]


class HttpPeer:
    """Over HTTP, each request on its own."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def push(self, batch: Any, **options: Any) -> Any:
        return await self._client.push(batch, **options)

    async def pull(self, cursor: tuple[str, int] | None = None) -> tuple[list[int], Any]:
        *chunks, last = await self._client.pull(cursor)
        return [number for chunk in chunks for number in _numbers(chunk)], last["exit"]


class RpcPeer:
    """By RPC over HTTP, each request on its own."""

    def __init__(self, query: bytes, headers: Mapping[str, str], store_id: str) -> None:
        self._query = query
        self._headers = {"content-type": MEDIA_TYPE, **headers}
        self._client = RpcClient(self._post, store_id)

    async def push(self, batch: Any, **options: Any) -> Any:
        return await self._client.push(batch, **options)

    async def pull(self, cursor: tuple[str, int] | None = None) -> tuple[list[int], Any]:
        *chunks, last = await self._client.pull(cursor)
        return [number for chunk in chunks for number in _numbers(chunk)], last["exit"]

    async def knock(self) -> Response:
        """Only ask for the store."""
        body = records.encode([{"_tag": "Ping"}])
        return await call_http(SyncHandler(), self._query, body, path=PATH, headers=self._headers)

    async def _post(self, body: bytes) -> bytes:
        response = await call_http(
            SyncHandler(), self._query, body, path=PATH, headers=self._headers
        )
        answers = [one for data in split(b"".join(response.parts)) for one in decode(data)]
        return records.encode(answers)


def _numbers(chunk: Mapping[str, Any]) -> list[int]:
    return [item["eventEncoded"]["seqNum"] for page in chunk["values"] for item in page["batch"]]


class Dial:
    """Makes peers over one transport, and hangs up at the end."""

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self._clients: list[SyncClient] = []

    async def __call__(self, store_id: str = STORE, **options: Any) -> Peer:
        if self.transport == "http":
            return HttpPeer(HttpClient(SyncHandler(), store_id, **options))
        if self.transport == "rpc":
            return self._rpc(store_id, **options)
        client = SyncClient(websocket_application, store_id, **options)
        self._clients.append(client)
        return SocketPeer(await client.open())

    async def knock(self, store_id: str = STORE, *, payload: object = None) -> tuple[int, str]:
        """Only ask for the store; the status and text of the answer."""
        if self.transport == "http":
            query = sync_query(store_id, "http", payload)
            response = await call_http(SyncHandler(), query, {"_tag": "Ping"})
            return response.status, response.text
        if self.transport == "rpc":
            response = await self._rpc(store_id, payload=payload).knock()
            return response.status, response.text
        try:
            await self(store_id, payload=payload)
        except HandshakeRefusedError as refusal:
            return refusal.status, refusal.body
        return 101, ""

    def _rpc(
        self, store_id: str, *, payload: object = None, headers: Mapping[str, str] | None = None
    ) -> RpcPeer:
        return RpcPeer(sync_query(store_id, "http", payload), headers or {}, store_id)

    async def hang_up(self) -> None:
        for client in self._clients:
            await client.hang_up()


async def stored(store_id: str) -> list[int] | None:
    """The numbers in the storage; None where there is no such store."""
    limits = {"max_events": 100, "max_bytes": 100_000}
    found = await get_readers().run(lambda: get_engine().read(store_id, 0, **limits))
    return found and list(found.seq_nums)
