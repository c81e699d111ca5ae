"""A client of the RPC transport: what it says and hears as values, whoever carries the bytes."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any

from livesync.protocol import records
from livesync.protocol.events import Event
from livesync.protocol.rpc import RequestId
from tests.clients import page_numbers, wire_cursor
from tests.factories import option, wire_events

PATH = "/api/sync/v1/rpc"
MEDIA_TYPE = "application/msgpack"

Call = Callable[[bytes], Awaitable[bytes | AsyncIterator[bytes]]]


def decode(data: bytes) -> list[Any]:
    """The answers in the bytes of one message."""
    answers = json.loads(records.to_json(data, max_chars=10_000_000, max_depth=1_000))
    assert isinstance(answers, list)
    return answers


def split(body: bytes) -> list[bytes]:
    """The messages in the body of an HTTP answer, each behind its length; all of them whole."""
    messages = []
    while body:
        end = 4 + int.from_bytes(body[:4], "big")
        assert end <= len(body)
        messages.append(body[4:end])
        body = body[end:]
    return messages


class RpcClient:
    """Calls one store.

    Args:
        call: takes a request's bytes, gives those of the answers.
        store_id: named in every request.
    """

    def __init__(self, call: Call, store_id: str) -> None:
        self.call = call
        self.store_id = store_id

    def request(
        self, procedure: str, payload: Mapping[str, Any], request_id: RequestId = "1"
    ) -> dict[str, Any]:
        """A request, as a value."""
        return {
            "_tag": "Request",
            "id": request_id,
            "tag": f"SyncDoRpc.{procedure}",
            "payload": {"storeId": self.store_id, **payload},
            "headers": [],
        }

    async def send(self, *messages: Mapping[str, Any]) -> list[Any]:
        """All answers to some messages."""
        return await self.send_bytes(records.encode(list(messages)))

    async def send_bytes(self, data: bytes) -> list[Any]:
        """All answers to a body, whatever it is."""
        return await answers_of(await self.call(data))

    async def push(self, batch: Iterable[Event], *, backend_id: str | None = None) -> Any:
        """The exit of a push."""
        payload = {"batch": wire_events(batch), "backendId": option(backend_id)}
        (answer,) = await self.send(self.request("Push", payload))
        return answer["exit"]

    async def pull(self, cursor: tuple[str, int] | None = None) -> list[Any]:
        """All messages of a pull."""
        return await self.send(self.pull_request(cursor))

    async def pull_live(
        self, cursor: tuple[str, int] | None = None, *, caller: str = "me", id: RequestId = "1"
    ) -> list[Any]:
        """All messages of the stored part of a live pull."""
        return await self.send(self.pull_request(cursor, caller=caller, id=id))

    def pull_request(
        self, cursor: tuple[str, int] | None, *, caller: str | None = None, id: RequestId = "1"
    ) -> dict[str, Any]:
        """A request to pull, live for a ``caller``."""
        payload: dict[str, Any] = {"cursor": option(wire_cursor(cursor))}
        if caller is not None:
            context = {"bindingName": "CLIENT", "durableObjectId": caller}
            payload["rpcContext"] = {"callerContext": context}
        return self.request("Pull", payload, id)

    async def ping(self) -> Any:
        """The exit of a ping."""
        (answer,) = await self.send(self.request("Ping", {}))
        return answer["exit"]


async def answers_of(answer: bytes | AsyncIterator[bytes]) -> list[Any]:
    """The answers in what a call gave."""
    if isinstance(answer, bytes):
        return decode(answer)
    return [message async for data in answer for message in decode(data)]


def numbers_of(chunks: Iterable[Mapping[str, Any]]) -> list[int]:
    """The numbers of the events in some chunks, each of which has one page."""
    return [number for chunk in chunks for number in page_numbers(chunk["values"][0])]
