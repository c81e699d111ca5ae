"""A Channels consumer with its own receive loop.

Channels' dispatch hops to a shared thread for every message, so that one slow database call delays
all sockets. Here the loop reads a frame, hands it over and reads the next; whatever has to wait
waits in a task or a callback of its own, so that a ping is always answered.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from channels.consumer import AsyncConsumer

from groundwork.by_hand import Started
from groundwork.strict_json import JsonError, decode_utf8

logger = logging.getLogger(__name__)

MAX_WAITING_MESSAGES = 2_000
MAX_WAITING_CHARACTERS = 4_000_000
"""A page at most, and answers besides: what is above means to fill our memory."""
FRAMES_A_TURN = 16
"""Most frames of one socket that are taken before others get their turn."""
SWEEP_EVERY_S = 2.0
CLOSE_GRACE_S = 5.0
"""How long a peer may take the close frame; then what waits for it is dropped."""

GOING_AWAY, BAD_DATA, POLICY, TOO_BIG, INTERNAL, RESTART, TRY_LATER = (
    1001,
    1007,
    1008,
    1009,
    1011,
    1012,
    1013,
)
UNAUTHORIZED = 3000
"""Close codes of RFC 6455 and the IANA registry of WebSocket close codes."""

_OWN_CODES = 3_000
"""From here on codes are not the protocol's, but applications' own."""

HOLD = "groundwork.hold"
"""Key of an ASGI message: a server that knows it sends the frame together with the next one."""


@runtime_checkable
class DirectServer(Protocol):
    """A server that passes text frames without a task and a queue between: two plain calls."""

    def hand_texts_to(self, take: Callable[[str], None] | None) -> None:
        """Call ``take`` with each text frame, in its order with what ``receive`` still gives.

        The calls come from the event loop, outside of any task. With None, and until the first call
        of this method, everything goes to ``receive``.
        """

    def send_text(self, text: str) -> bool:
        """Send a text frame at once; False when something goes first and ``send`` has to wait."""


class FrameConsumer(AsyncConsumer):  # type: ignore[misc] # channels publishes no types
    """One WebSocket. Subclasses say what a frame means; this class carries frames.

    Subclasses implement ``open`` and ``receive_frame``, and may extend ``receive_undecodable``,
    ``closed`` and ``sweep``.
    """

    max_frame_bytes = 1_048_576
    idle_timeout_s = 60.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket until it closes. ASGI's entry point."""
        self.scope = scope
        self._raw_send = send
        self._direct = _direct_server(receive, send)
        self._waiting: deque[dict[str, Any]] | None = None
        self._waiting_size = 0
        self._taken: asyncio.Future[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._main = asyncio.current_task()
        self.is_closed = False
        self.last_frame_at = time.monotonic()
        await receive()  # websocket.connect
        if not await self.open():
            return
        registry = get_registry()
        registry.add(self)
        try:
            if self._direct is not None:
                self._direct.hand_texts_to(self._take)
            await self._receive_until_disconnected(receive)
        except asyncio.CancelledError:
            if not self.is_closed:
                raise
        finally:
            if self._direct is not None:
                self._direct.hand_texts_to(None)
            registry.discard(self)
            self._end()

    async def open(self) -> bool:
        """Accept the socket, or refuse it and return False."""
        raise NotImplementedError  # each app's consumer does

    def receive_frame(self, text: str) -> None:
        """Take a frame. Must not wait, and must not raise for anything a peer may send."""
        raise NotImplementedError  # each app's consumer does

    def receive_undecodable(self, reason: str) -> None:
        """Take a binary frame that is not UTF-8; as ``receive_frame``."""
        self.close(BAD_DATA)

    def closed(self) -> None:
        """The socket is closed, or being closed: nothing can be sent any more."""

    def sweep(self, now: float) -> None:
        """Look after timeouts; called every few seconds with the monotonic time."""
        if self.is_closed:
            if self._waiting is not None and now - self._closed_at > CLOSE_GRACE_S:
                self._abort()  # it does not even take the close frame
        elif now - self.last_frame_at > self.idle_timeout_s:
            self.close(GOING_AWAY)

    def drain(self, *, is_last_call: bool) -> None:
        """The server stops: close as soon as nobody waits for an answer; at the last call, now."""
        self.close(RESTART)

    @property
    def is_writable(self) -> bool:
        """Whether a frame sent now goes to the server at once, behind none that waits here."""
        return self._waiting is None

    async def wait_until_writable(self) -> None:
        """Return when the server takes frames again; what is large should wait for that."""
        while self._waiting is not None:
            if self._taken is None:
                self._taken = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._taken)  # others may wait for the same

    def send_now(self, text: str) -> None:
        """Send a text frame, behind those sent before; never waits."""
        if self.is_closed:
            return
        if self._direct is not None and self._waiting is None:
            try:
                if self._direct.send_text(text):
                    return
            except Exception as error:
                self._give_up_sending(error)
                return
        self._put({"type": "websocket.send", "text": text})

    def send_last(self, text: str, code: int) -> None:
        """Send a text frame and close the socket.

        Where the server knows ``HOLD`` the two leave in one piece. A peer that heard the frame
        first could ask for more before it hears of the close, and never know what became of that.
        """
        if not self.is_closed:
            self._put({"type": "websocket.send", "text": text, HOLD: True})
            self.close(code)

    def close(self, code: int) -> None:
        """Close the socket, behind what was sent before."""
        if self.is_closed:
            return
        self._put({"type": "websocket.close", "code": self._spoken_code(code)})
        self._end()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run ``work`` beside the receive loop; it is cancelled when the socket closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def accept(self) -> None:
        """Complete the handshake."""
        await self._raw_send({"type": "websocket.accept"})

    async def refuse(self, status: int, body: str) -> None:
        """Answer the handshake with an HTTP error; a plain 403 where the server cannot."""
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            await self._raw_send({"type": "websocket.close"})
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
        await self._raw_send(start)
        await self._raw_send({"type": "websocket.http.response.body", "body": body.encode()})

    async def _receive_until_disconnected(self, receive: Any) -> None:
        # also behind our own close: what the server has not taken is lost when the consumer ends
        taken = 0
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            self._take(message["bytes"] if text is None else text)
            taken += 1
            if taken % FRAMES_A_TURN == 0:
                # receiving what is there already lets nobody else run. Not before a frame is taken:
                # one that the server hands over meanwhile would overtake it
                await asyncio.sleep(0)

    def _take(self, frame: str | bytes) -> None:
        if self.is_closed:
            return
        self.last_frame_at = time.monotonic()
        try:
            self._receive(frame)
        except Exception:
            logger.exception("a frame could not be handled")
            self.close(INTERNAL)

    def _receive(self, frame: str | bytes) -> None:
        try:
            text = frame if isinstance(frame, str) else decode_utf8(frame)
        except JsonError as error:
            self.receive_undecodable(str(error))
            return
        if len(text) > self.max_frame_bytes:
            self.close(TOO_BIG)
        else:
            self.receive_frame(text)

    def _put(self, message: dict[str, Any]) -> None:
        if self._waiting is not None:
            self._waiting.append(message)
            self._waiting_size += len(message.get("text", ""))
            if (
                len(self._waiting) > MAX_WAITING_MESSAGES
                or self._waiting_size > MAX_WAITING_CHARACTERS
            ):
                self._abort()
            return
        sending = self._raw_send(message)
        if type(sending) is not CoroutineType:
            self._waiting = deque()
            self._keep_sending(sending)
            return
        # nearly always the server takes the frame at once: no task, no turn of the loop
        try:
            waited_for = sending.send(None)
        except StopIteration:
            return
        except Exception as error:
            self._give_up_sending(error)
            return
        self._waiting = deque()
        self._keep_sending(Started(sending, waited_for))

    def _keep_sending(self, first: Any) -> None:
        # not in self._tasks: a close frame must still go out after the socket's other work ended
        self._sender = asyncio.get_running_loop().create_task(self._send_waiting(first))

    async def _send_waiting(self, first: Any) -> None:
        try:
            await first
            while self._waiting:
                message = self._waiting.popleft()
                self._waiting_size -= len(message.get("text", ""))
                await self._raw_send(message)
            self._waiting = None
            if self._taken is not None:
                self._taken.set_result(None)
                self._taken = None
        except Exception as error:
            self._give_up_sending(error)

    def _give_up_sending(self, error: Exception) -> None:
        if isinstance(error, OSError):
            # the peer has gone; the receive loop will hear of it
            logger.debug("sending to a peer that has gone", exc_info=error)
        else:
            logger.error("a frame could not be sent", exc_info=error)
            self._abort()  # a frame is lost: what came behind it would make no sense

    def _abort(self) -> None:
        """Give up a peer that does not read; the server drops the connection."""
        self._end()
        if self._sender is not None and self._sender is not asyncio.current_task():
            self._sender.cancel()
        self._waiting = None
        if self._main is not None:
            self._main.cancel()

    def _end(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._closed_at = time.monotonic()
        for task in tuple(self._tasks):
            task.cancel()
        self.closed()

    def _spoken_code(self, code: int) -> int:
        # daphne refuses the codes of the protocol above 1000; clients treat every code alike
        can_speak = "websocket.http.response" in self.scope.get("extensions", {})
        return code if can_speak or code >= _OWN_CODES else code + 3_000


def _direct_server(receive: Any, send: Any) -> DirectServer | None:
    # both its own methods: what stands between, such as a middleware, has to see every message
    server = getattr(receive, "__self__", None)
    is_bare = server is not None and getattr(send, "__self__", None) is server
    return server if is_bare and isinstance(server, DirectServer) else None


class Registry:
    """The open sockets of one event loop, looked after by one task."""

    def __init__(self) -> None:
        self._consumers: set[FrameConsumer] = set()
        self._sweeper: asyncio.Task[None] | None = None

    def add(self, consumer: FrameConsumer) -> None:
        """Look after ``consumer`` from now on."""
        self._consumers.add(consumer)
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep_for_ever())

    def discard(self, consumer: FrameConsumer) -> None:
        """Look after it no more."""
        self._consumers.discard(consumer)

    def __len__(self) -> int:
        return len(self._consumers)

    async def drain(self, timeout_s: float) -> None:
        """Close every socket, those that wait for an answer behind it, all within ``timeout_s``."""
        give_up_at = time.monotonic() + timeout_s
        while self._consumers and time.monotonic() < give_up_at:
            for consumer in tuple(self._consumers):
                consumer.drain(is_last_call=False)
            await asyncio.sleep(0.02)
        for consumer in tuple(self._consumers):
            consumer.drain(is_last_call=True)

    async def stop(self) -> None:
        """End the task that looks after the sockets."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            for consumer in tuple(self._consumers):
                consumer.sweep(time.monotonic())


_registries: "WeakKeyDictionary[asyncio.AbstractEventLoop, Registry]" = WeakKeyDictionary()


def get_registry() -> Registry:
    """The registry of the running event loop."""
    return _registries.setdefault(asyncio.get_running_loop(), Registry())
