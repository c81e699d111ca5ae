"""uvicorn's WebSocket protocol, with what it leaves open closed, and a short way for whole texts.

Nearly all our traffic is text messages of one frame. Those are read and written here in a few
steps; everything else, from the handshake to fragments and closing, is left to uvicorn and the
``websockets`` library, which get whole frames, so that no byte is ever seen by both.
"""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from groundwork.frames import HOLD
from syncsite.websocket_frames import (
    WHOLE_PING,
    WHOLE_TEXT,
    find_bounds,
    text_frame,
    unmask,
)

# proxies that cut messages use pieces of some KiB: the largest message then has a few hundred
FRAGMENTS_MAX = 4_096
WAITING_MAX = 32
"""Most messages that wait for the application before the socket is read no further."""
FRAME_HEAD_MAX_BYTES = 14
FRAMES_A_TURN = 64
"""Most frames that are read before other sockets get their turn; a read may bring 40,000."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Closes with 1009 on a message of too many fragments; knows ``HOLD``; a ``DirectServer``.

    Only the bytes of fragments are counted below. Each costs memory besides them, and one without
    any bytes counts for nothing: a peer could go on for as long as it likes.
    """

    # while it holds, uvicorn's own parser stands between two frames and has no byte in hand
    _reads_frames = True
    _has_stopped = False
    _wanted = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._partial = bytearray()
        self._take: Callable[[str], None] | None = None

    def data_received(self, data: bytes) -> None:
        if not self._reads_frames:
            super().data_received(data)
        elif not self.handshake_complete:
            # a client that does not wait for the answer: its first frames lie in uvicorn's parser
            self._reads_frames = not self.handshake_initiated and data.endswith(b"\r\n\r\n")
            super().data_received(data)
        elif self._partial or self._has_stopped:
            self._partial += data
            if len(self._partial) >= self._wanted and not self._has_stopped:
                self._read_partial(FRAMES_A_TURN)
        else:
            self._read(data, FRAMES_A_TURN)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._has_stopped:
            # what came before the end is told before the end, and cannot be answered any more
            self._has_stopped = False
            self.disconnected = True
            self._read_partial(len(self._partial))
        super().connection_lost(exc)

    async def receive(self) -> Any:
        """The next ASGI message; goes on reading where a full queue has stopped it."""
        self._go_on()
        return await super().receive()

    def hand_texts_to(self, take: Callable[[str], None] | None) -> None:
        """See ``DirectServer``."""
        self._take = take

    def send_text(self, text: str) -> bool:
        """See ``DirectServer``."""
        if not self._can_write_at_once():
            return False
        self.transport.write(text_frame(text.encode()))
        return True

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < FRAGMENTS_MAX:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()

    async def send(self, message: Any) -> None:
        """Send an ASGI message; a frame marked with ``HOLD`` goes in one write with the next."""
        text = message.get("text")
        if text is None or message["type"] != "websocket.send":
            await super().send(message)
        elif message.get(HOLD):
            await self.writable.wait()
            if self.conn.state is State.OPEN:
                # it stays in there until somebody asks what is to be written
                self.conn.send_text(text.encode())
        elif not self.send_text(text):
            await super().send(message)

    def _can_write_at_once(self) -> bool:
        return (
            self.writable.is_set()
            and self.handshake_complete
            and not self.close_sent
            and not self.disconnected
            and not self.conn.writes  # a held frame goes first
            and self.conn.state is State.OPEN
        )

    def _go_on(self) -> None:
        if not self._has_stopped or self.queue.qsize() >= WAITING_MAX:
            return  # in the second case the application's next look goes on
        self._has_stopped = False
        self._read_partial(FRAMES_A_TURN)
        if not self._has_stopped and self.read_paused and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()

    def _stop(self, rest: bytes) -> None:
        self._keep(rest, 0)
        self._has_stopped = True
        self._pause_reading()
        self.loop.call_soon(self._go_on)

    def _read_partial(self, max_frames: int) -> None:
        data, self._partial = bytes(self._partial), bytearray()
        self._wanted = 0
        self._read(data, max_frames)

    def _read(self, data: bytes, max_frames: int) -> None:
        start = frames = 0
        while start < len(data) and self._reads_frames:
            if frames >= max_frames:
                self._stop(data[start:])
                return
            try:
                bounds = find_bounds(data, start)
            except ValueError:
                break  # uvicorn says what is wrong with it
            if bounds is None:
                self._keep(data[start:], 0)
                return
            mask, end = bounds
            if end - start > self.config.ws_max_size + FRAME_HEAD_MAX_BYTES:
                break  # the same; it must not be waited for
            if end > len(data):
                self._keep(data[start:], end - start)
                return
            self._read_frame(data, start, mask, end)
            start = end
            frames += 1
        if start < len(data):
            self._reads_frames = False
            super().data_received(data[start:])

    def _keep(self, data: bytes, wanted: int) -> None:
        self._partial += data
        self._wanted = wanted

    def _read_frame(self, data: bytes, start: int, mask: int, end: int) -> None:
        is_between_messages = self.conn.current_size is None and self.conn.state is State.OPEN
        if data[start] == WHOLE_TEXT and is_between_messages and not self.close_sent:
            payload = unmask(data, mask, end)
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                pass  # uvicorn says so
            else:
                self._deliver(text)
                return
        if data[start] == WHOLE_PING and not self.writable.is_set():
            return  # its pong would wait here, with all others, for a peer that reads nothing
        super().data_received(data[start:end])
        self._reads_frames = self.conn.state is State.OPEN

    def _deliver(self, text: str) -> None:
        if self._take is not None and self.queue.empty():
            self._take(text)
            return
        self.queue.put_nowait({"type": "websocket.receive", "text": text})
        # uvicorn stops reading after each message; two system calls for each
        if self.queue.qsize() >= WAITING_MAX:
            self._pause_reading()

    def _pause_reading(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
