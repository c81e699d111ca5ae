"""What uvicorn's HTTP protocol leaves open: how long a request's head may be, how long it may take,
its target, and how many requests may wait for the answers to earlier ones.
"""

import asyncio
import sys
from typing import Any

from httptools import HttpParserUpgrade
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# a sync URL holds at most a store id of 512 bytes and a payload of 8 KiB, percent-encoded twice
URL_MAX_BYTES = 65_500
HEADERS_MAX_BYTES = 32_768
HEAD_TIMEOUT_S = 10.0
"""How long a connection may take for the head of a request; a byte a second is no request."""

HANDSHAKE_HEADERS_MAX = 128
"""As many as the library behind the WebSockets reads; it does not even answer more."""

PIPELINED_MAX = 16
"""Most requests that wait on one connection behind the one that is being answered."""


class HeadRefusedError(Exception):
    """Ends the parsing of a request that was answered already."""


class PipelineFlowControl(FlowControl):
    """Reads no further while requests wait: each read could bring thousands of them."""

    def __init__(self, transport: asyncio.Transport, pipeline: Any) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if not self._pipeline:
            super().resume_reading()


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses an endless head (414, 431), a slow one, and a target that is not a path (400).

    Refuses a WebSocket handshake that would get no answer (400, 431), and passes on what came with
    it. Closes on too many requests at once.
    """

    _received = b""
    _headers_bytes = 0
    _answering: RequestResponseCycle | None = None
    _is_websocket = False
    _head_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlowControl(transport, self.pipeline)
        self._start_head_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_deadline()
        # uvicorn tells the last request only, and one before it would go on streaming to nobody
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received = data
        super().data_received(data)
        self._received = b""
        # blank lines, or the rest of a body that is not wanted, put off uvicorn's own deadline
        if self._head_deadline is None and not self._is_answering and not self._is_websocket:
            self._start_head_deadline()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_head_deadline()
        self._headers_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_MAX_BYTES:
            self._refuse(b"414 URI Too Long")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers_bytes += len(name) + len(value)
        if self._headers_bytes > HEADERS_MAX_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        # "GET http://elsewhere/ HTTP/1.1" names a host besides the Host header: two truths
        if not self.url.startswith(b"/"):
            self._refuse(b"400 Bad Request")
        if self.parser.should_upgrade() and self._should_upgrade():
            self._check_handshake()
        self._stop_head_deadline()
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED_MAX:
            self._hang_up()

    def handle_websocket_upgrade(self) -> None:
        self._is_websocket = True
        super().handle_websocket_upgrade()
        taken_over: Any = self.transport.get_protocol()
        if not taken_over.handshake_initiated and not self.transport.is_closing():
            # the library could not read it and waits for more, or has given up without a word
            self.send_400_response("Invalid WebSocket handshake.")
        elif rest := self._rest_behind_handshake():
            taken_over.data_received(rest)

    def _rest_behind_handshake(self) -> bytes:
        # a client need not wait for the answer; uvicorn drops what came in one read with the head
        upgrade = sys.exc_info()[1]
        assert isinstance(upgrade, HttpParserUpgrade)
        return self._received[upgrade.args[0] :]

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _check_handshake(self) -> None:
        if self._is_answering:
            # its answer and the WebSocket's frames would go out over one connection
            self._hang_up()
        if len(self.headers) > HANDSHAKE_HEADERS_MAX:
            self._refuse(b"431 Request Header Fields Too Large")
        if any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        ):
            self._refuse(b"400 Bad Request")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _start_head_deadline(self) -> None:
        self._stop_head_deadline()
        if not self.transport.is_closing():
            self._head_deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._end_slow_head)

    def _end_slow_head(self) -> None:
        if self._is_answering:
            # it may have come whole, and wait to be read; and the answer must not be cut
            self._start_head_deadline()
        else:
            self.transport.close()

    def _stop_head_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _hang_up(self) -> None:
        # any answer would be taken for that to an earlier request, which may yet be carried out
        self.pipeline.clear()
        self.transport.close()
        raise HeadRefusedError

    def _refuse(self, status: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status
        )
        self.transport.close()
        raise HeadRefusedError
