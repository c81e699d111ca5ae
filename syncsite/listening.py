"""The listening socket."""

import errno
import socket

from syncsite import network
from syncsite.errors import StartRefusedError

BACKLOG = 2_048
# unacknowledged data for so long means that the peer is gone or has stopped reading for good; ASGI
# has no way to abort such a connection, so the kernel does
USER_TIMEOUT_MS = 30_000


def listen(host: str, port: int) -> socket.socket:
    """Listen on ``host``; what connects inherits the socket's options. Port 0 takes a free one.

    Raises:
        StartRefusedError: the port is taken or not permitted, or the host is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartRefusedError(f"HOST {host!r} is no address to listen on: {error}") from error
    try:
        _set_options(listener)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartRefusedError(_explain(error, host, port)) from error
    return listener


def refuse_exposure(host: str) -> None:
    """Refuse to let others reach a development site.

    Raises:
        StartRefusedError: ``host`` can be reached from other machines.
    """
    if not network.is_loopback(host):
        raise StartRefusedError(
            f"HOST={host} would open a development site, which asks nobody who they are, "
            "to the network. Set SYNCSITE_EXPOSE=1 if you mean it; for production use "
            "DJANGO_SETTINGS_MODULE=syncsite.production"
        )


def _set_options(listener: socket.socket) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    listener.set_inheritable(True)


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; choose another one with PORT"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than this user has; choose one from 1024 up"
    return f"cannot listen on {host} port {port}: {error}"
