"""Fetch JSON by URL from somebody who may be slow, or mean."""

import json
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPSConnection
from types import TracebackType
from typing import Any, Self

MAX_BYTES = 262_144
"""Most bytes that are read; the key sets of issuers have a few thousand."""


def fetch(url: str, *, timeout_s: float) -> Any:
    """The JSON at a URL, in ``timeout_s`` seconds, or twice that, and ``MAX_BYTES`` bytes.

    Redirects are not followed: they could lead out of TLS.

    Raises:
        OSError, HTTPException, ValueError: it cannot be had.
    """
    with _CutOff(timeout_s) as cut_off, _opener(cut_off).open(url, timeout=timeout_s) as response:
        body = response.read(MAX_BYTES + 1)
        if cut_off.is_over:
            raise TimeoutError("it took too long")
    if len(body) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    return json.loads(body)


class _CutOff:
    """Shuts the sockets that it watches once the time is up.

    Whoever sends a byte now and then, be it of a body, a header or a handshake, never lets a
    socket's own timeout run out.
    """

    def __init__(self, after_s: float) -> None:
        self.is_over = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(after_s, self._shut)
        self._timer.daemon = True

    def watch(self, connected: socket.socket) -> None:
        # another handle of the same connection, as TLS will take this one away
        self._sockets.append(connected.dup())
        if self.is_over:
            raise TimeoutError("it took too long")

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        for one in self._sockets:
            one.close()

    def _shut(self) -> None:
        self.is_over = True
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _Watched(HTTPConnection):
    cut_off: _CutOff

    def connect(self) -> None:
        super().connect()
        self.cut_off.watch(self.sock)


class _WatchedTls(HTTPSConnection, _Watched):
    """Its handshake begins when ``_Watched`` has connected."""


def _watched_by(
    cut_off: _CutOff, kind: type[_Watched]
) -> Callable[..., HTTPConnection | HTTPSConnection]:
    def make(host: str, **options: Any) -> _Watched:
        connection = kind(host, **options)
        connection.cut_off = cut_off
        return connection

    return make


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    def __init__(self, cut_off: _CutOff) -> None:
        super().__init__()
        self._cut_off = cut_off
        self._tls = ssl.create_default_context()

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_watched_by(self._cut_off, _Watched), req)

    def https_open(self, req: urllib.request.Request) -> Any:
        make = _watched_by(self._cut_off, _WatchedTls)
        return self.do_open(make, req, context=self._tls)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None  # the answer is then an error like any other


def _opener(cut_off: _CutOff) -> urllib.request.OpenerDirector:
    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Handler(cut_off),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _NoRedirects(),
    ):
        director.add_handler(handler)
    return director
