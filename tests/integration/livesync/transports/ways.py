"""One request on a connection of some store, whatever it asks for; all that is heard of it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from livesync.protocol import records
from livesync.transports.routing import websocket_application
from livesync.transports.rpc import StoreRpc
from syncsite.sync_handler import SyncHandler
from tests.clients import RefusedError, SyncClient, call_http, sync_query
from tests.factories import option
from tests.rpc_client import MEDIA_TYPE, PATH, decode, split

GROUPS = {
    "ws": "SyncWsRpc",
    "http": "SyncHttpRpc",
    "rpc": "SyncDoRpc",
    "in process": "SyncDoRpc",
}


def request(way: str, procedure: str, store_id: str, **payload: Any) -> dict[str, Any]:
    """A message that names ``store_id``, whatever connection it goes over."""
    whole = {"storeId": store_id, "live": False, "cursor": option(None), "backendId": option(None)}
    return {
        "_tag": "Request",
        "id": "1",
        "tag": f"{GROUPS[way]}.{procedure}",
        "payload": {**whole, "batch": [], **payload},
        "headers": [],
    }


async def ask(way: str, store_id: str, message: Mapping[str, Any], **options: Any) -> str:
    """All that comes back, as text, on a connection of its own."""
    if way in ("http", "rpc"):
        query = sync_query(store_id, "http", options.pop("payload", None))
        post = _post if way == "http" else _post_rpc
        return await post(query, message, **options)
    if way == "in process":
        return await _ask_in_process(store_id, message)
    try:
        async with SyncClient(websocket_application, store_id, **options) as client:
            return await ask_socket(client, message)
    except RefusedError as refusal:
        return str(refusal)


async def ask_socket(client: SyncClient, message: Mapping[str, Any]) -> str:
    """All that comes back on an open socket, up to the request's end or the socket's."""
    client.send_json(message)
    heard: list[str] = []
    is_answered = False
    while not (is_answered and client.is_silent):  # a close comes at once behind the last answer
        answer = await client.receive_message()
        if answer["type"] == "websocket.close":
            return " ".join([*heard, f"closed with {answer['code']}"])
        heard.append(answer["text"])
        tag = json.loads(answer["text"])["_tag"]
        is_answered = tag != "Chunk"
        if not is_answered:
            client.ack(message["id"])
    return " ".join(heard)


async def _post(query: bytes, message: Mapping[str, Any], **options: Any) -> str:
    response = await call_http(SyncHandler(), query, message, **options)
    return f"{response.status} {response.text}"


async def _post_rpc(
    query: bytes, message: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
) -> str:
    sent = {"content-type": MEDIA_TYPE, **(headers or {})}
    body = records.encode(message)
    response = await call_http(SyncHandler(), query, body, path=PATH, headers=sent)
    if response.status != 200:
        return f"{response.status} {response.text}"
    return f"200 {_shown(split(b''.join(response.parts)))}"


async def _ask_in_process(store_id: str, message: Mapping[str, Any]) -> str:
    async with StoreRpc(store_id) as store:
        answer = await store.rpc(records.encode(message))
        parts = [answer] if isinstance(answer, bytes) else [part async for part in answer]
    return _shown(parts)


def _shown(parts: Iterable[bytes]) -> str:
    """The answers in the bytes of some messages, as the other transports write them."""
    answers = [one for part in parts for one in decode(part)]
    return json.dumps(answers, ensure_ascii=False, separators=(",", ":"))
