"""One WebSocket connection: its open requests and their ids."""

from collections.abc import Iterator

from livesync.protocol import rpc
from livesync.protocol.binding import Binding
from livesync.protocol.calls import WS_PROCEDURES, Pull, Push, Refused, read_call
from livesync.protocol.errors import LimitError
from livesync.protocol.messages import Limits
from livesync.protocol.rpc import Ack, Interrupt, Malformed, Ping, Request, RequestId, TooMany

Routed = Ping | Push | Pull | Ack | Interrupt | Refused


class Session:
    """Decides what the frames of one connection mean; it knows no socket and no database.

    A pull or push that ``receive`` returns is open until ``close`` is called with its id. An Ack
    or an Interrupt is returned as it came, whether or not its request is open: a client that
    reconnected may speak of requests that died with the server before.
    """

    __slots__ = ("_binding", "_limits", "_live_pulls", "_max_live_pulls", "_max_requests", "_open")

    def __init__(
        self, binding: Binding, *, limits: Limits, max_requests: int, max_live_pulls: int
    ) -> None:
        self._binding = binding
        self._limits = limits
        self._max_requests = max_requests
        self._max_live_pulls = max_live_pulls
        self._open: set[RequestId] = set()
        self._live_pulls: set[RequestId] = set()

    @property
    def store_id(self) -> str:
        """The store of the connection's URL."""
        return self._binding.store_id

    def receive(self, frame: str) -> Iterator[Routed]:
        """Read a frame; gives its messages in their order, refusals with their answers."""
        for message in rpc.read_messages(frame):
            match message:
                case Request():
                    yield self._receive_request(message)
                case Ping() | Ack() | Interrupt():
                    yield message
                case Malformed() | TooMany():
                    yield Refused(message.answer)

    def close(self, request_id: RequestId) -> None:
        """Forget a request that has had its last answer."""
        self._open.discard(request_id)
        self._live_pulls.discard(request_id)

    def _receive_request(self, request: Request) -> Routed:
        call = read_call(
            request, procedures=WS_PROCEDURES, binding=self._binding, limits=self._limits
        )
        if isinstance(call, Refused):
            return call
        assert isinstance(call, Pull | Push)
        return self._refuse_excess(call) or self._admit(call)

    def _admit(self, call: Pull | Push) -> Pull | Push:
        self._open.add(call.request_id)
        if isinstance(call, Pull) and call.live:
            self._live_pulls.add(call.request_id)
        return call

    def _refuse_excess(self, call: Pull | Push) -> Refused | None:
        if call.request_id in self._open:
            reason = f"request id {call.request_id} is in use"
        elif len(self._open) - len(self._live_pulls) >= self._max_requests:
            reason = f"more than {self._max_requests} requests at once"
        elif isinstance(call, Pull) and call.live and self._has_all_live_pulls():
            reason = f"more than {self._max_live_pulls} live pulls on one socket"
        else:
            return None
        return Refused(rpc.exit_fail(call.request_id, LimitError(reason)))

    def _has_all_live_pulls(self) -> bool:
        return len(self._live_pulls) >= self._max_live_pulls
