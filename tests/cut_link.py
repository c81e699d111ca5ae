"""A TCP link to a server that can be cut at a chosen moment."""

import socket
import threading
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self

from tests.processes import LOOPBACK

_BUFFER = 65_536


class Cut(Enum):
    """When to cut the link on which the client has sent the awaited bytes."""

    BEFORE = "the server never gets them"
    AT_ONCE = "the server gets them, and nobody waits for what it does"
    AFTER = "the server has answered them, and the client never hears the answer"


class CutLink:
    """Forwards connections to 127.0.0.1:``port`` until told to cut one.

    A context manager. It cuts the first connection on which the awaited bytes are seen, and then
    forwards everything again until it is armed anew.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        self._awaited = b""
        self._cut: Cut | None = None
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []

    def arm(self, awaited: bytes, cut: Cut) -> None:
        """Cut the next connection on which ``awaited`` is sent, and repeated in the answer."""
        self._awaited, self._cut = awaited, cut

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for opened in self._sockets:
            _close(opened)
        for thread in self._threads:
            thread.join()

    def _spawn(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((LOOPBACK, self._target))
            self._sockets += [client, server]
            self._spawn(self._serve, client, server)

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        awaited: list[bytes] = []
        back = threading.Thread(target=_pump_back, args=(server, client, awaited), daemon=True)
        back.start()
        with suppress(OSError):
            while data := client.recv(_BUFFER):
                cut = self._cut_for(data)
                if cut is Cut.BEFORE:
                    break
                if cut is Cut.AFTER:
                    awaited.append(self._awaited)
                server.sendall(data)
                if cut is Cut.AT_ONCE:
                    break
        _close(client)
        _close(server)
        back.join()

    def _cut_for(self, data: bytes) -> Cut | None:
        cut = self._cut
        if cut is None or self._awaited not in data:
            return None
        self._cut = None
        self.cuts += 1
        return cut


def _pump_back(server: socket.socket, client: socket.socket, awaited: list[bytes]) -> None:
    with suppress(OSError):
        while data := server.recv(_BUFFER):
            if awaited and awaited[0] in data:
                break
            client.sendall(data)
    _close(client)


def _close(opened: socket.socket) -> None:
    # shut down first: closing alone does not wake a thread that waits in recv or accept
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
    opened.close()
