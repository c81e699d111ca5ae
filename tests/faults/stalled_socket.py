"""A client that asks for everything and reads nothing."""

import json
import socket
from types import TracebackType
from typing import Self

from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from tests.history.wire import pull_payload, request, sync_url
from tests.processes import DEADLINE_S, LOOPBACK

BUFFER_BYTES = 4_096


class StalledSocket:
    """Opens a live pull of a store, and never reads what comes for it."""

    def __init__(self, port: int, store_id: str) -> None:
        self._socket = socket.socket()
        # before the connection is made: it decides how much the kernel takes in for us
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.settimeout(DEADLINE_S)
        self._socket.connect((LOOPBACK, port))
        url = sync_url(f"ws://{LOOPBACK}:{port}", store_id, "ws")
        self._protocol = ClientProtocol(parse_uri(url))
        self._shake_hands()
        payload = {**pull_payload(store_id, None), "live": True}
        self._protocol.send_text(json.dumps(request("1", "SyncWsRpc.Pull", payload)).encode())
        self._send()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _shake_hands(self) -> None:
        self._protocol.send_request(self._protocol.connect())
        self._send()
        while self._protocol.state is State.CONNECTING:
            self._protocol.receive_data(self._socket.recv(BUFFER_BYTES))
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc

    def _send(self) -> None:
        self._socket.sendall(b"".join(self._protocol.data_to_send()))
