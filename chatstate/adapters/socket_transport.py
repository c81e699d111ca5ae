"""Operations over a link that is made again whenever it is lost."""

import asyncio
import logging
import time
from collections.abc import Sequence
from random import random

from chatstate.adapters.background import Background
from chatstate.adapters.backoff import RECONNECT
from chatstate.adapters.exchange import Clock, Done, Exchange
from chatstate.adapters.link import Link, open_link, why_lost
from chatstate.adapters.sdk import StateNotConnectedError
from chatstate.adapters.transport import Reply, Told, wall_ms
from chatstate.protocol.errors import ChatstateError, UnauthorizedError
from chatstate.protocol.operations import Operation

logger = logging.getLogger(__name__)

CLOCK = Clock(time.monotonic, wall_ms)

_SWEEP_S = 0.05  # as exact as the shortest pause before a repetition
_DRAIN_S = 2.0  # well above a round trip; whoever disconnects should not have to wait for more
_ADAPTER = "RemoteStateAdapter"


class SocketTransport:
    """The protocol's socket as a transport.

    Args:
        url: of the socket.
        token: says who connects.
        connect_timeout_s: how long one attempt to connect may take.
    """

    def __init__(self, url: str, token: str, *, connect_timeout_s: float) -> None:
        self._url = url
        self._token = token
        self._connect_timeout_s = connect_timeout_s
        self._client: _Client | None = None
        self._background = Background()

    @property
    def is_open(self) -> bool:
        client = self._client
        return client is not None and client.loop is asyncio.get_running_loop()

    async def open(self) -> None:
        client = self._client
        if client is not None and client.loop.is_closed():
            client = None
        if client is not None and client.loop is not asyncio.get_running_loop():
            raise RuntimeError("it is connected in another event loop, which is still there")
        if client is None or client.end is not None:
            client = self._client = _Client(self._url, self._token, self._connect_timeout_s)
        try:
            await client.started()
        except ChatstateError:
            if self._client is client:
                self._client = None
            raise

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None and client.loop is asyncio.get_running_loop():
            await client.stop()

    async def call(self, operation: Operation, *, timeout_s: float | None = None) -> Reply:
        assert self._client is not None
        return await self._client.call(operation, timeout_s)

    def begin(self, operation: Operation, told: Told) -> None:
        self._background.call(self.call(operation), told)


class _Client:
    """One life in one event loop: begins at once, takes any number of calls, is stopped."""

    def __init__(self, url: str, token: str, connect_timeout_s: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.end: Exception | None = None
        """Why it is of no use any more: it was stopped, or the server refused the token."""
        self._url = url
        self._token = token
        self._connect_timeout_s = connect_timeout_s
        self._exchange = Exchange(CLOCK, random)
        self._futures: dict[int, asyncio.Future[Reply]] = {}
        self._outgoing = asyncio.Event()
        self._sweeping: asyncio.TimerHandle | None = None
        self._attempt = 0
        self._started: asyncio.Future[None] = self.loop.create_future()
        self._work = self.loop.create_task(self._keep_linked())
        self._work.add_done_callback(self._work_ended)

    async def started(self) -> None:
        """Return when the first link works.

        Raises:
            ChatstateError: it could not be made; the client has ended.
            StateNotConnectedError: it was stopped before.
        """
        await asyncio.shield(self._started)

    async def call(self, operation: Operation, timeout_s: float | None) -> Reply:
        """Do an operation."""
        if self.end is not None:
            raise self.end
        call_id = self._exchange.add(operation, timeout_s=timeout_s)
        future: asyncio.Future[Reply] = self.loop.create_future()
        self._futures[call_id] = future
        self._outgoing.set()
        if self._sweeping is None:
            self._sweeping = self.loop.call_later(_SWEEP_S, self._sweep)
        try:
            return await future
        except asyncio.CancelledError:
            self._exchange.abandon(call_id)
            raise
        finally:
            self._futures.pop(call_id, None)

    async def stop(self) -> None:
        """End: take no more calls, wait a moment for the answers that are due, let go of all."""
        if self.end is not None:
            return
        self.end = StateNotConnectedError(_ADAPTER)
        if self._futures and self._started.done():
            await asyncio.wait(list(self._futures.values()), timeout=_DRAIN_S)
        self._work.cancel()
        await asyncio.wait({self._work})
        self._give_up(self.end)

    async def _keep_linked(self) -> None:
        while self.end is None:
            try:
                link = await open_link(self._url, self._token, timeout_s=self._connect_timeout_s)
                await self._use(link)
            except ChatstateError as error:
                if isinstance(error, UnauthorizedError) or not self._started.done():
                    self.end = error
                    self._give_up(error)
                    return
                if self._attempt == 0:
                    logger.warning("%s; connecting again", error)
                self._exchange.lost(str(error))
            await asyncio.sleep(RECONNECT.pause_s(self._attempt, random))
            self._attempt += 1

    def _work_ended(self, work: "asyncio.Task[None]") -> None:
        error = None if work.cancelled() else work.exception()
        if isinstance(error, Exception):
            # a fault of ours: whoever waits is told, and is not left to wait for ever
            logger.error("the connection to %s is given up", self._url, exc_info=error)
            self.end = error
            self._give_up(error)

    async def _use(self, link: Link) -> None:
        """Send and receive until the link is lost.

        Raises:
            ChatstateError: why it was; anything else is a fault of ours.
        """
        self._exchange.linked(link.welcome)
        self._outgoing.set()
        if not self._started.done():
            self._started.set_result(None)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(link))
                tasks.create_task(self._receive(link))
                tasks.create_task(link.keep_alive(lambda: len(self._exchange) > 0))
        except ExceptionGroup as group:
            raise why_lost(self._url, group.exceptions[0]) from group
        finally:
            await link.close()

    async def _send(self, link: Link) -> None:
        while True:
            await self._outgoing.wait()
            self._outgoing.clear()
            ready, done = self._exchange.take_frames()
            self._tell(done)
            for frame in ready:
                await link.send(frame)

    async def _receive(self, link: Link) -> None:
        while True:
            received = await link.receive()
            self._attempt = 0  # not before: a link that breaks at once is no good sign
            if isinstance(received, UnauthorizedError):
                raise received
            if isinstance(received, ChatstateError):
                logger.error("the chat state server refused a frame: %s", received)
                continue
            self._tell(self._exchange.receive(received))
            if self._exchange.can_send:
                self._outgoing.set()

    def _sweep(self) -> None:
        self._tell(self._exchange.sweep())
        if self._exchange.can_send:
            self._outgoing.set()
        again = len(self._exchange) > 0
        self._sweeping = self.loop.call_later(_SWEEP_S, self._sweep) if again else None

    def _tell(self, done: Sequence[Done]) -> None:
        for call_id, outcome in done:
            future = self._futures.get(call_id)
            if future is None or future.done():
                continue  # whoever waited for it has gone
            if isinstance(outcome, Reply):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

    def _give_up(self, error: Exception) -> None:
        """Tell everybody who still waits."""
        for future in self._futures.values():
            if not future.done():
                future.set_exception(error)
        if not self._started.done():
            self._started.set_exception(error)
            self._started.exception()  # perhaps nobody waits
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
