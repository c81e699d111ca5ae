"""What uvicorn's WebSocket protocol leaves open: how many fragments a message may have, and frames
that must leave together.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from groundwork.frames import HOLD

# proxies that cut messages use pieces of some KiB: the largest message then has a few hundred
FRAGMENTS_MAX = 4_096


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Closes with 1009 on a message of too many fragments; knows ``HOLD``.

    Only the bytes of fragments are counted below. Each costs memory besides them, and one without
    any bytes counts for nothing: a peer could go on for as long as it likes.
    """

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < FRAGMENTS_MAX:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()

    async def send(self, message: Any) -> None:
        """Send an ASGI message; a frame marked with ``HOLD`` goes in one write with the next."""
        if not message.get(HOLD):
            await super().send(message)
            return
        await self.writable.wait()
        if self.conn.state is State.OPEN:
            # it stays in there until somebody asks what is to be written
            self.conn.send_text(message["text"].encode())
