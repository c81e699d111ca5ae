"""The WebSocket transport."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from functools import partial
from random import random

from groundwork.frames import (
    POLICY,
    RESTART,
    SWEEP_EVERY_S,
    TRY_LATER,
    UNAUTHORIZED,
    FrameConsumer,
    get_registry,
)
from livesync.conf import get_settings
from livesync.protocol import rpc
from livesync.protocol.binding import Binding
from livesync.protocol.calls import Pull, Push, Refused
from livesync.protocol.errors import (
    AuthUnavailableError,
    CommitUnknownError,
    HookFailedError,
    LivesyncError,
    RefusedError,
    ServerAheadError,
)
from livesync.protocol.messages import PUSH_ACK
from livesync.protocol.rpc import Ack, Interrupt, Ping, RequestId
from livesync.protocol.search_params import Transport
from livesync.protocol.session import Session
from livesync.services.announcer import announce
from livesync.services.connection import Connection
from livesync.services.limits import get_limits
from livesync.signals import client_connected, client_disconnected
from livesync.storage.engine import Appended
from livesync.transports.access import AccessRefusedError, check_access, read_sync_request
from livesync.transports.open_pull import OpenPull

logger = logging.getLogger(__name__)

_LINGER_S = 1.0
_NEVER = float("inf")


class SyncConsumer(FrameConsumer):
    """One WebSocket on one store. It carries frames; the session decides what they mean."""

    transport: Transport = "ws"

    _answered_at: float
    _drains_since: float

    async def open(self) -> bool:
        request = read_sync_request(self.scope["query_string"])
        if request is None or request.transport != "ws":
            await self.refuse(400, "Invalid path")
            return False
        try:
            request = request._replace(transport=self.transport)
            context = await check_access(request, self.scope)
        except AccessRefusedError as refusal:
            await self.refuse(refusal.status, str(refusal))
            return False
        self.connection = Connection(context)
        self._set_up(Binding(request.store_id, request.payload))
        await self.accept()
        self._connected_at = datetime.now(UTC)
        announce(
            client_connected,
            type(self),
            context=self.connection.context,
            connected_at=self._connected_at,
        )
        return True

    def receive_frame(self, text: str) -> None:
        for message in self.session.receive(text):
            if self.is_closed:
                return  # for what came before in the same frame: the rest is not carried out
            match message:
                case Ack(request_id):  # first: most messages are one
                    if request_id in self._pulls:
                        self._pulls[request_id].pull.ack()
                case Ping():
                    self._answer_ping()
                case Push():
                    self._start_push(message)
                case Pull():
                    self._start_pull(message)
                case Interrupt(request_id):
                    if request_id in self._pulls:
                        self._pulls[request_id].finish(rpc.exit_interrupted(request_id))
                case Refused():
                    self._refuse(message)

    def receive_undecodable(self, reason: str) -> None:
        self._refuse(Refused(rpc.defect(f"not a message: {reason}")))

    def closed(self) -> None:
        for open_pull in tuple(self._pulls.values()):
            open_pull.stop()
        announce(
            client_disconnected,
            type(self),
            context=self.connection.context,
            connected_at=self._connected_at,
            disconnected_at=datetime.now(UTC),
        )

    def sweep(self, now: float) -> None:
        self._pings = 0
        timeout_s = get_settings().ack_timeout_s
        if any(open_pull.pull.is_stalled(now, timeout_s) for open_pull in self._pulls.values()):
            self.close(TRY_LATER)
        self._look_after_access(now)
        super().sweep(now)

    def drain(self, *, is_last_call: bool) -> None:
        """Let a push that is under way, or about to come from a busy client, be answered first."""
        now = asyncio.get_running_loop().time()
        self._drains_since = min(self._drains_since, now)
        is_busy = self._pushes > 0 or (
            now - self._answered_at < _LINGER_S and now - self._drains_since < _LINGER_S
        )
        if is_last_call or not is_busy:
            super().drain(is_last_call=is_last_call)

    def forget(self, request_id: RequestId) -> None:
        """The request has had its last answer."""
        self.session.close(request_id)
        self._pulls.pop(request_id, None)

    def _set_up(self, binding: Binding) -> None:
        settings = get_settings()
        self.max_frame_bytes = settings.frame_max_bytes
        self.idle_timeout_s = settings.idle_timeout_s
        self.session = Session(
            binding,
            limits=get_limits(),
            max_requests=settings.requests_per_socket,
            max_live_pulls=settings.live_pulls_per_socket,
        )
        self._pulls: dict[RequestId, OpenPull] = {}
        self.turn = asyncio.Lock()
        self._pushes = 0
        self._pings = 0
        # spread out: after a restart everybody comes at once
        self._revalidate_at = time.monotonic() + random() * settings.auth_recheck_s
        self._answered_at = asyncio.get_running_loop().time()  # who has just come may push soon
        self._drains_since = _NEVER

    def _look_after_access(self, now: float) -> None:
        if self.is_closed:
            return
        if self.connection.has_expired():
            self.close(UNAUTHORIZED)
        elif now >= self._revalidate_at:
            self._revalidate_at = _NEVER
            self.spawn(self._revalidate())

    async def _revalidate(self) -> None:
        try:
            await self.connection.revalidate()
        except RefusedError:
            self.close(UNAUTHORIZED)
        except (AuthUnavailableError, HookFailedError):
            pass  # a fault of ours has revoked nothing
        finally:
            self._revalidate_at = time.monotonic() + get_settings().auth_recheck_s

    def _answer_ping(self) -> None:
        self._pings += 1
        if self._pings > get_settings().pings_per_second * SWEEP_EVERY_S:
            self.close(POLICY)
        self.send_now(rpc.PONG)

    def _refuse(self, refusal: Refused) -> None:
        self.send_now(refusal.frame)
        if refusal.close:
            logger.warning(
                "a message on store %r speaks for another store or payload than its connection",
                self.connection.store_id,
            )
            self.close(POLICY)

    def _start_push(self, push: Push) -> None:
        # no task: the writer keeps the order of these calls, and answers through the future
        self._pushes += 1
        future = self.connection.start_push(push)
        future.add_done_callback(partial(self._answer_push, push.request_id))

    def _answer_push(self, request_id: RequestId, future: "asyncio.Future[Appended]") -> None:
        if future.cancelled():
            return  # the loop ends
        self._pushes -= 1
        self.session.close(request_id)
        self._answered_at = asyncio.get_running_loop().time()
        error = future.exception()
        if isinstance(error, CommitUnknownError):
            self.close(TRY_LATER)  # neither yes nor no would be true
            return
        answer = self._answer_to_push(request_id, error)
        if self._drains_since < _NEVER and not self._pushes:
            self.send_last(answer, RESTART)
        else:
            self.send_now(answer)

    def _answer_to_push(self, request_id: RequestId, error: BaseException | None) -> str:
        if error is None:
            return rpc.exit_success(request_id, PUSH_ACK)
        if isinstance(error, ServerAheadError):
            # the client now waits for the events it lacks, whatever has become of the hints
            for open_pull in self._pulls.values():
                open_pull.pull.mark_dirty()
        elif not isinstance(error, LivesyncError):
            logger.error("a push failed", exc_info=error)
        assert isinstance(error, Exception)
        return rpc.exit_fail(request_id, error)

    def _start_pull(self, pull: Pull) -> None:
        open_pull = OpenPull(self, pull)
        self._pulls[pull.request_id] = open_pull
        open_pull.start()


class UpdatesConsumer(SyncConsumer):
    """The same for those who call by RPC: a chunk of a live pull is what their callback takes."""

    transport: Transport = "rpc"


async def drain(timeout_s: float) -> None:
    """Close every sync socket of this loop with 1012, each behind the answers it waits for."""
    await get_registry().drain(timeout_s)
