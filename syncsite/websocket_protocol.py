"""What uvicorn's WebSocket protocol leaves open: into how many pieces a message may be cut."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

# proxies that cut messages use pieces of some KiB: the largest message then has a few hundred
FRAGMENTS_MAX = 4_096


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """Closes with 1009 on a message of too many fragments.

    Only their bytes are counted below. Each costs memory besides them, and one without any bytes
    counts for nothing: a peer could go on for as long as it likes.
    """

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < FRAGMENTS_MAX:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()
