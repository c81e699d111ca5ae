"""A connection has so long for its first request, and no longer."""

import asyncio
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from syncsite import http_protocol
from syncsite.http_protocol import BoundedHttpProtocol


class Transport(asyncio.Transport):
    """A connection that notices when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = asyncio.Event()

    def write(self, data: Any) -> None:
        """Nobody reads it."""

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def close(self) -> None:
        self.closed.set()


async def _application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def _connect(transport: Transport) -> BoundedHttpProtocol:
    config = Config(_application, lifespan="off", log_config=None)
    config.load()
    protocol = BoundedHttpProtocol(config, ServerState(), {})
    protocol.connection_made(transport)
    return protocol


async def test_a_head_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.01)
    transport = Transport()
    protocol = _connect(transport)

    protocol.data_received(b"GET / HTTP/1.1\r\nhost: ")
    async with asyncio.timeout(30):
        await transport.closed.wait()

    protocol.connection_lost(None)


@pytest.mark.parametrize("ends_with", ["a request", "a hang-up"])
async def test_nothing_is_left_to_fire_afterwards(ends_with: str) -> None:
    protocol = _connect(Transport())
    deadline = protocol._head_deadline
    assert deadline is not None

    if ends_with == "a request":
        protocol.data_received(b"GET / HTTP/1.1\r\nhost: site\r\n\r\n")
        await asyncio.gather(*protocol.tasks)
        protocol.connection_lost(None)
    else:
        protocol.connection_lost(None)

    assert deadline.cancelled()
