"""What ``manage.py serve`` does: check, listen, prepare, tell, serve."""

import socket
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TextIO

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from uvicorn.config import STARTUP_FAILURE

from syncsite import environment
from syncsite.banner import banner
from syncsite.errors import StartRefusedError
from syncsite.listening import listen, refuse_exposure
from syncsite.open_files_limit import raise_open_files_limit
from syncsite.preparation import prepare
from syncsite.server import DrainingServer, server_config
from syncsite.shared_metrics import shared_by_workers
from syncsite.workers import run_workers

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8_000
MAX_WORKERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Where and how to serve."""

    host: str
    port: int
    workers: int
    expose: bool
    """Open a development site to the local network."""

    access_log: bool

    @classmethod
    def from_environment(cls) -> "ServeOptions":
        """Read HOST, PORT, WORKERS, SYNCSITE_EXPOSE and SYNCSITE_ACCESS_LOG.

        Raises:
            StartRefusedError: one of them makes no sense.
        """
        try:
            # it is for development sites only; what it changes would open a production site as well
            expose = environment.flag("SYNCSITE_EXPOSE") and settings.DEBUG
            return cls(
                host=environment.text("HOST", "0.0.0.0" if expose else DEFAULT_HOST),
                port=environment.number("PORT", DEFAULT_PORT, at_least=0, at_most=65_535),
                workers=environment.number("WORKERS", 1, at_least=1, at_most=MAX_WORKERS),
                expose=expose,
                access_log=environment.flag("SYNCSITE_ACCESS_LOG", default=True),
            )
        except ImproperlyConfigured as error:
            raise StartRefusedError(str(error)) from error


def serve(options: ServeOptions, output: TextIO) -> int:
    """Serve until told to stop.

    Returns:
        The exit code.

    Raises:
        StartRefusedError: see ``refuse_if_unsafe``, ``listen`` and ``prepare``.
    """
    refuse_if_unsafe(options)
    raise_open_files_limit()
    with listen(options.host, options.port) as listener:
        admin = prepare()
        output.write(banner(options.host, port_of(listener), admin, exposed=options.expose))
        output.flush()
        return _run(options, listener)


def refuse_if_unsafe(options: ServeOptions) -> None:
    """Check what only the command can know; ``syncsite.production`` checks the rest.

    Raises:
        StartRefusedError: a development site would be open to others, or workers could not hint.
    """
    if options.workers > 1 and not settings.REDIS_URL:
        raise StartRefusedError(
            f"WORKERS={options.workers} needs REDIS_URL: without it the processes cannot tell each "
            "other of new events, and live pulls would lag by seconds"
        )
    if settings.DEBUG and not options.expose:
        refuse_exposure(options.host)


def port_of(listener: socket.socket) -> int:
    """The port that a socket listens on."""
    return int(listener.getsockname()[1])


def _run(options: ServeOptions, listener: socket.socket) -> int:
    config = server_config(
        workers=options.workers,
        access_log=options.access_log,
        # a development site has no proxy in front, and every local program is a trusted address
        trust_proxy=not settings.DEBUG,
    )
    # an application that cannot be imported fails here, once, and not in worker after worker
    config.load_app()
    if options.workers > 1:
        with shared_by_workers() if settings.METRICS_TOKEN else nullcontext():
            return 0 if run_workers(config, listener) else STARTUP_FAILURE
    server = DrainingServer(config)
    server.run(sockets=[listener])
    return 0 if server.started else STARTUP_FAILURE
