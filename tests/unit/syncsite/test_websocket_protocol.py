"""A held frame leaves in one piece with the next."""

import asyncio
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame
from websockets.uri import parse_uri

from groundwork.frames import HOLD, RESTART
from syncsite.websocket_protocol import WebSocketProtocol

ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close", "code": RESTART}


class Transport(asyncio.Transport):
    """A connection whose writes can be counted."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


@pytest.mark.parametrize(("is_held", "writes"), [(True, 1), (False, 2)])
async def test_a_held_frame_is_written_with_its_successor(is_held: bool, writes: int) -> None:
    frame = {"type": "websocket.send", "text": "the answer", HOLD: is_held}
    client, transport = ClientProtocol(parse_uri("ws://site")), Transport()

    handshake, *written = await _written(client, transport, ACCEPT, frame, CLOSE)

    assert len(written) == writes
    client.receive_data(handshake + b"".join(written))
    answer, close = (event for event in client.events_received() if isinstance(event, Frame))
    assert answer.data == b"the answer"
    assert Close.parse(close.data).code == RESTART


async def test_a_held_frame_for_a_peer_that_has_closed_is_dropped() -> None:
    frame = {"type": "websocket.send", "text": "too late", HOLD: True}
    client, transport = ClientProtocol(parse_uri("ws://site")), Transport()

    _, *written = await _written(client, transport, ACCEPT, CLOSE, frame)

    assert len(written) == 1


async def _written(
    client: ClientProtocol, transport: Transport, *messages: dict[str, Any]
) -> list[bytes]:
    """What goes over a connection on which an application sends these messages."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for message in messages:
            await send(message)

    config = Config(application, lifespan="off", log_config=None, ws_per_message_deflate=False)
    config.load()
    protocol = WebSocketProtocol(config, ServerState(), {})
    protocol.connection_made(transport)
    client.send_request(client.connect())
    protocol.data_received(b"".join(client.data_to_send()))
    await asyncio.gather(*protocol.tasks)
    return transport.written
