"""One WebSocket's life: the handshake, frames both ways, signs of life."""

import asyncio
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from chatstate.adapters import frames
from chatstate.adapters.frames import Answer, NotProtocolError, Welcome
from chatstate.adapters.transport import UnreachableError
from chatstate.protocol.errors import ChatstateError, UnauthorizedError

QUIET_S = 20.0
"""A silent link asks the server for a sign of life after this long ..."""
QUIET_WHILE_WAITING_S = 5.0
"""... or after this long while answers are due ..."""
DEAD_AFTER_S = 10.0
"""... and is dead when none came within this."""

_CLOSE_TIMEOUT_S = 1.0  # all answers are there, or are asked for again on the next link
_MAX_FRAME_BYTES = 16 * 1024 * 1024
"""The server's frames have about 1 MB; one so large would be no server of ours."""

_CUT = (OSError, WebSocketException, NotProtocolError, EOFError)
"""What a link ends with that the peer or the network has ended."""


class Link:
    """A link on which the server has said welcome."""

    def __init__(self, url: str, socket: ClientConnection, welcome: Welcome) -> None:
        self.welcome = welcome
        self._url = url
        self._socket = socket
        self._heard = asyncio.Event()

    async def send(self, frame: bytes) -> None:
        """Send a frame; waits while the server takes none."""
        await self._socket.send(frame, text=True)

    async def receive(self) -> "list[Answer] | ChatstateError":
        """The answers of the next frame, or why the server refused a frame as a whole."""
        data = await self._socket.recv(decode=False)
        self._heard.set()
        received = frames.read(data)
        if isinstance(received, Welcome):
            raise NotProtocolError("a second welcome")
        return received if isinstance(received, ChatstateError) else list(received)

    async def keep_alive(self, is_waiting: Callable[[], bool]) -> None:
        """Ask for signs of life for ever.

        Args:
            is_waiting: whether answers are due.

        Raises:
            UnreachableError: there came none.
        """
        quiet_s = 0.0
        while True:
            self._heard.clear()
            await asyncio.sleep(QUIET_WHILE_WAITING_S)
            quiet_s = 0.0 if self._heard.is_set() else quiet_s + QUIET_WHILE_WAITING_S
            if quiet_s >= (QUIET_WHILE_WAITING_S if is_waiting() else QUIET_S):
                await self._ask()
                quiet_s = 0.0

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(DEAD_AFTER_S):
                await self.send(frames.KEEP_ALIVE)
                await self._heard.wait()
        except TimeoutError:
            raise UnreachableError(f"{self._url} gave no sign of life") from None

    async def close(self) -> None:
        """Close in good order."""
        await self._socket.close()


async def open_link(url: str, token: str, *, timeout_s: float) -> Link:
    """Make a link.

    Raises:
        UnauthorizedError: the server does not know the token.
        UnreachableError: any other failure, within ``timeout_s``.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _shake_hands(url, token)
    except (*_CUT, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        raise UnreachableError(f"cannot connect to {url}: {reason}") from error


def why_lost(url: str, error: Exception) -> Exception:
    """What to tell of a link that has ended with ``error``; a fault of ours stays what it is."""
    if isinstance(error, _CUT):
        return UnreachableError(f"the connection to {url} was lost: {error}")
    return error


async def _shake_hands(url: str, token: str) -> Link:
    socket = await connect(
        url,
        compression=None,
        max_size=_MAX_FRAME_BYTES,
        ping_interval=None,  # the protocol has its own sign of life
        open_timeout=None,
        close_timeout=_CLOSE_TIMEOUT_S,
    )
    try:
        await socket.send(frames.hello(token))
        received = frames.read(await socket.recv(decode=False))
    except BaseException:
        socket.transport.abort()
        raise
    if isinstance(received, Welcome):
        return Link(url, socket, received)
    await socket.close()
    if isinstance(received, UnauthorizedError):
        raise received
    raise UnreachableError(f"cannot connect to {url}: {received}")
