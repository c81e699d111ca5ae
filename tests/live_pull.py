"""One live pull over a real consumer, in the process of the test."""

import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from channels.testing import WebsocketCommunicator

from livesync.transports.routing import websocket_application

_DEADLINE_S = 60.0


class OpenPull:
    """A socket with one live pull on it; its chunks are acknowledged as they come."""

    def __init__(self, store_id: str) -> None:
        self._store_id = store_id
        query = urlencode({"storeId": store_id, "transport": "ws"})
        self._socket = WebsocketCommunicator(websocket_application, f"/?{query}")

    async def __aenter__(self) -> Self:
        is_accepted, _ = await self._socket.connect()
        assert is_accepted
        await self._send(
            {
                "_tag": "Request",
                "id": "1",
                "tag": "SyncWsRpc.Pull",
                "payload": {
                    "storeId": self._store_id,
                    "cursor": {"_tag": "None"},
                    "live": True,
                },
                "headers": [],
            }
        )
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._socket.disconnect()

    async def chunk(self) -> dict[str, Any]:
        """The next page, parsed."""
        message = await self._receive()
        assert message["_tag"] == "Chunk", message
        await self._send({"_tag": "Ack", "requestId": "1"})
        page: dict[str, Any] = message["values"][0]
        return page

    async def end(self) -> dict[str, Any]:
        """The error that the pull ends with, parsed; the next message must be it."""
        message = await self._receive()
        assert message["_tag"] == "Exit", message
        error: dict[str, Any] = message["exit"]["cause"]["error"]
        return error

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_to(text_data=json.dumps(message))

    async def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self._socket.receive_from(_DEADLINE_S))
        return message
