"""HTTP/1.1 as bytes: nothing is checked, escaped or repaired on the way to the server."""

import http.client
import io
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from tests.processes import DEADLINE_S, LOOPBACK

_BODILESS = frozenset({101, 204, 304})


class HttpAnswer(NamedTuple):
    """What the server answered; the names of headers are in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The header's value, of several the last; None without it."""
        return dict(self.headers).get(name)

    @property
    def text(self) -> str:
        """The body, read as UTF-8."""
        return self.body.decode()


class RawConnection:
    """A TCP connection to a server on this machine; many requests may go over it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), timeout=DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader: io.BufferedReader = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send bytes. A server that has closed already is no error: its answer can be read."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def read_answer(self, *, method: str = "GET") -> HttpAnswer:
        """Read one answer, whole.

        Raises:
            ConnectionError: the server closed without one.
        """
        line = self.reader.readline()
        if not line:
            raise ConnectionError("closed without an answer")
        status = int(line.split()[1])
        fields = http.client.parse_headers(self.reader)
        headers = [(name.lower(), value) for name, value in fields.items()]
        answer = HttpAnswer(status, headers, b"")
        if method == "HEAD" or status in _BODILESS:
            return answer
        return answer._replace(body=self._read_body(answer))

    def close(self) -> None:
        """Close without a word."""
        self.reader.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read_body(self, answer: HttpAnswer) -> bytes:
        if answer.header("transfer-encoding") == "chunked":
            return b"".join(iter(self._read_chunk, b""))
        length = answer.header("content-length")
        return self.reader.read() if length is None else self.reader.read(int(length))

    def _read_chunk(self) -> bytes:
        chunk = self.reader.read(int(self.reader.readline(), 16))
        self.reader.readline()
        return chunk


def request_head(
    method: str, target: str | bytes, port: int, headers: Sequence[str | bytes] = ()
) -> bytes:
    """The head of a request; ``Host`` is the server's own unless ``headers`` has one."""
    lines = [_latin(header) for header in headers]
    if not any(line.lower().startswith(b"host:") for line in lines):
        lines.insert(0, f"Host: {LOOPBACK}:{port}".encode())
    first = b"%b %b HTTP/1.1" % (method.encode(), _latin(target))
    return b"\r\n".join([first, *lines, b"", b""])


def ask(
    port: int,
    method: str,
    target: str | bytes,
    *,
    headers: Sequence[str | bytes] = (),
    body: bytes | None = None,
) -> HttpAnswer:
    """Send one request over a connection of its own and return the answer."""
    if body is not None:
        headers = [*headers, f"Content-Length: {len(body)}"]
    with RawConnection(port) as connection:
        connection.send(request_head(method, target, port, headers) + (body or b""))
        return connection.read_answer(method=method)


def _latin(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
