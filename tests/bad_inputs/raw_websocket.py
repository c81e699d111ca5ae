"""WebSocket as frames: every bit of them can be chosen.

Source: RFC 6455, section 5.2.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from tests.bad_inputs.raw_http import RawConnection, request_head

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
NO_CODE = 1005
"""Stands for a close frame without a code."""

CUT = 1006
"""Stands for a connection that ended without a close frame."""

_MASK = b"\x5a\xc3\x17\x88"


class Frame(NamedTuple):
    """A frame from the server."""

    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        """The code of a close frame."""
        return int.from_bytes(self.payload[:2]) if self.payload else NO_CODE


class HandshakeRefusedError(Exception):
    """The server answered the handshake with an HTTP error."""


class RawWebSocket(RawConnection):
    """A WebSocket whose frames are made by hand.

    Args:
        port: of the server.
        target: path and query.
        headers: of the handshake.
        early: what is sent in one piece with the handshake.

    Raises:
        HandshakeRefusedError: the server did not switch protocols.
    """

    def __init__(
        self, port: int, target: str | bytes, headers: Sequence[str | bytes], *, early: bytes = b""
    ) -> None:
        super().__init__(port)
        self.send(request_head("GET", target, port, headers) + early)
        self.handshake = self.read_answer()
        if self.handshake.status != 101:
            self.close()
            raise HandshakeRefusedError(f"{self.handshake.status}: {self.handshake.text}")

    def send_text(self, text: str) -> None:
        """Send a text frame."""
        self.send(frame_bytes(text.encode()))

    def receive_frame(self) -> Frame:
        """Read the next frame; the end of the connection reads as a close with ``CUT``."""
        try:
            return self._read_frame()
        except (ConnectionResetError, EOFError):
            return Frame(CLOSE, CUT.to_bytes(2))

    def receive(self) -> Frame:
        """Read the next frame that is a message or a close."""
        while (frame := self.receive_frame()).opcode in (PING, PONG):
            pass
        return frame

    def _read_frame(self) -> Frame:
        first, second = self._read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._read(8))
        return Frame(first & 0x0F, self._read(length))

    def _read(self, count: int) -> bytes:
        data = self.reader.read(count)
        if len(data) < count:
            raise EOFError
        return data


def frame_bytes(
    payload: bytes,
    *,
    opcode: int = TEXT,
    fin: bool = True,
    rsv: int = 0,
    mask: bool = True,
    declared_length: int | None = None,
) -> bytes:
    """One frame.

    Args:
        payload: what it carries.
        opcode: its kind.
        fin: whether the message ends with it.
        rsv: the three reserved bits, as a number from 0 to 7.
        mask: whether it is masked, as a client's frames have to be.
        declared_length: the length that its head claims; the true one by default.
    """
    length = len(payload) if declared_length is None else declared_length
    masked = 0x80 if mask else 0
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if length < 126:
        head += bytes([masked | length])
    elif length < 1 << 16:
        head += struct.pack("!BH", masked | 126, length)
    else:
        head += struct.pack("!BQ", masked | 127, length)
    return head + (_MASK + _masked(payload) if mask else payload)


def _masked(payload: bytes) -> bytes:
    repeated = (_MASK * (len(payload) // 4 + 1))[: len(payload)]
    size = len(payload)
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(size)
