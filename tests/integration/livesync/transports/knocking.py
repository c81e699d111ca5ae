"""Ask to be let in, over one transport or the other."""

from typing import Any

from livesync.transports.routing import websocket_application
from syncsite.sync_handler import SyncHandler
from tests.clients import RefusedError, SyncClient, call_http, sync_query
from tests.storage import STORE

OK = (200, "")


async def knock(
    transport: str, *, store_id: str = STORE, payload: object = None, **options: Any
) -> tuple[int, str]:
    """Ask for a store; 200 and nothing, or the status and text of the refusal."""
    if transport == "http":
        query = sync_query(store_id, "http", payload)
        response = await call_http(SyncHandler(), query, {"_tag": "Ping"}, **options)
        return OK if response.status == 200 else (response.status, response.text)
    client = SyncClient(websocket_application, store_id, payload=payload, **options)
    try:
        async with client:
            await client.ping()
    except RefusedError as refusal:
        return refusal.status, refusal.body
    return OK
