"""The adapter for a bot anywhere: the chat state protocol over a WebSocket."""

from urllib.parse import urlsplit

from chatstate.adapters.adapter import ShardFunction, StrandedHandler, TransportStateAdapter
from chatstate.adapters.socket_transport import SocketTransport

SOCKET_PATH = "/api/chat/v1/socket"
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class RemoteStateAdapter(TransportStateAdapter):
    """Chat SDK's state on a chat state server; see ``docs/chat-protocol.md``.

    One WebSocket carries all calls, those of one turn of the event loop in one frame. A link that
    was lost comes back by itself; what had no answer is sent again and is not done twice. It
    belongs to the event loop in which ``connect()`` was called, until ``disconnect()`` or the end
    of that loop.

    Args:
        url: of the site (``https://state.example.org``), of a place below it, or of the socket.
        token: made by ``manage.py create_chat_token NAMESPACE``.
        shard_key: names the shard that keeps a thread's subscription, lock and queue.
        key_shard: names the shard that keeps a cache entry or list.
        on_stranded: called with the lock key when a queue holds entries although nobody holds its
            lock: nobody would take them out before the thread's next message.
        connect_timeout_s: how long one attempt to connect may take.

    Raises:
        ValueError: the URL is not one of http, https, ws or wss, or the token is empty.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        shard_key: ShardFunction | None = None,
        key_shard: ShardFunction | None = None,
        on_stranded: StrandedHandler | None = None,
        connect_timeout_s: float = 10.0,
    ) -> None:
        if not token:
            raise ValueError("token is missing: manage.py create_chat_token NAMESPACE makes one")
        transport = SocketTransport(socket_url(url), token, connect_timeout_s=connect_timeout_s)
        super().__init__(
            transport, shard_key=shard_key, key_shard=key_shard, on_stranded=on_stranded
        )

    async def connect(self) -> None:
        """Connect, unless that was done. After a failure it can be called again.

        Raises:
            UnauthorizedError: the server does not know the token.
            UnreachableError: there is no server.
        """
        await super().connect()

    async def disconnect(self) -> None:
        """Let go of the connection, behind the answers that come in a moment. All stored stays."""
        await super().disconnect()


def socket_url(url: str) -> str:
    """The URL of the server's socket.

    Args:
        url: of the site, of a place below it, or of the socket itself.

    Raises:
        ValueError: it is not one of http, https, ws or wss.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError("url must begin with http://, https://, ws:// or wss:// and name a host")
    path = parts.path.rstrip("/")
    if not path.endswith(SOCKET_PATH):
        path += SOCKET_PATH
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{path}"
