"""One request on a connection of some store, whatever it asks for; all that is heard of it."""

import json
from collections.abc import Mapping
from typing import Any

from livesync.protocol import records
from livesync.transports.routing import websocket_application
from livesync.transports.rpc import StoreRpc
from syncsite.sync_handler import SyncHandler
from tests.clients import RefusedError, SyncClient, call_http, sync_query
from tests.factories import option
from tests.rpc_client import decode

GROUPS = {"ws": "SyncWsRpc", "http": "SyncHttpRpc", "in process": "SyncDoRpc"}


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
    if way == "http":
        query = sync_query(store_id, "http", options.pop("payload", None))
        response = await call_http(SyncHandler(), query, message, **options)
        return f"{response.status} {response.text}"
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


async def _ask_in_process(store_id: str, message: Mapping[str, Any]) -> str:
    async with StoreRpc(store_id) as store:
        answer = await store.rpc(records.encode(message))
        parts = [answer] if isinstance(answer, bytes) else [part async for part in answer]
    return json.dumps([one for part in parts for one in decode(part)], ensure_ascii=False)
