"""uvicorn, set up for many long-lived sockets, and stopped without losing a push."""

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from types import FrameType

from uvicorn import Config, Server

from livesync.conf import get_settings
from syncsite.http_protocol import URL_MAX_BYTES
from syncsite.listening import BACKLOG

DRAIN_S = 5.0
DRAIN_MARGIN_S = 1.0
# for responses that are still being sent after the drain; together they stay below the 10 seconds
# that process managers usually grant
GRACE_S = 3
FORCE_CHECK_S = 0.1
_GC_THRESHOLDS = (20_000, 20, 50)

logger = logging.getLogger(__name__)

Drain = Callable[[float], Awaitable[None]]


def server_config(*, workers: int, access_log: bool, trust_proxy: bool) -> Config:
    """uvicorn's configuration; it can be pickled, so worker processes get the same.

    Args:
        workers: how many processes share the listening socket.
        access_log: one line per request.
        trust_proxy: take the client's address from the headers of a proxy on FORWARDED_ALLOW_IPS.
    """
    # the library behind the WebSockets reads this limit when it is imported; 8 KiB by default
    os.environ.setdefault("WEBSOCKETS_MAX_LINE_LENGTH", str(URL_MAX_BYTES + 36))
    return Config(
        "syncsite.asgi:application",
        http="syncsite.http_protocol:BoundedHttpProtocol",
        ws="syncsite.websocket_protocol:WebSocketProtocol",
        # compression takes a third of the throughput, and memory for each socket; and a small
        # frame could unpack to a huge one
        ws_per_message_deflate=False,
        ws_max_size=get_settings().frame_max_bytes,
        lifespan="on",
        log_config=None,
        access_log=access_log,
        proxy_headers=trust_proxy,
        server_header=False,
        workers=workers,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )


class DrainingServer(Server):
    """Answers what is under way before it goes; a second signal makes it go at once.

    uvicorn alone closes every socket the moment it is told to stop, and a client whose push was
    stored but not acknowledged cannot know.
    """

    def __init__(self, config: Config, drain: Drain | None = None) -> None:
        super().__init__(config)
        self._drain = drain or _drain_livesync
        self._refreshing: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._refreshing = _look_after_state()
        _calm_garbage_collector()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._drain_unless_forced()
        if self._refreshing is not None:
            self._refreshing.cancel()
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn leaves this out then, and logs the cancelled task as an error of ours
            await self.lifespan.shutdown()

    async def _serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super()._serve(sockets)
        # uvicorn would raise the signal once more, and the process end as if it had been killed
        self._captured_signals.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)

    async def _drain_unless_forced(self) -> None:
        draining = asyncio.ensure_future(self._drain(DRAIN_S))
        give_up_at = time.monotonic() + DRAIN_S + DRAIN_MARGIN_S
        while not (draining.done() or self.force_exit or time.monotonic() > give_up_at):
            # a signal handler cannot wake the loop for us, so look every moment
            await asyncio.wait({draining}, timeout=FORCE_CHECK_S)
        draining.cancel()
        try:
            await draining
        except asyncio.CancelledError:
            logger.warning("stopped before every push was answered")
        except Exception:
            logger.exception("the drain failed")


class WorkerServer(DrainingServer):
    """The server of a worker process: its supervisor alone tells it to stop.

    Ctrl+C reaches every process of the terminal, and the supervisor sends SIGTERM as well: together
    they would count as the second signal.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGINT:
            super().handle_exit(sig, frame)


def _look_after_state() -> "asyncio.Task[None]":
    # here and not above: the app may be imported after Django is set up only
    from syncsite.health import watch_bus
    from syncsite.metrics import refresh_for_ever

    watch_bus()
    return asyncio.create_task(refresh_for_ever())


def _calm_garbage_collector() -> None:
    # what start-up made stays: looking through it again at each full collection takes 20 ms
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


async def _drain_livesync(timeout_s: float) -> None:
    # here and not above: the app may be imported after Django is set up only
    from livesync.transports.consumers import drain

    await drain(timeout_s)
