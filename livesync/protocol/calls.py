"""What a request asks for: its procedure, its argument, and whether it fits its connection."""

from typing import NamedTuple

from msgspec import Raw

from groundwork.strict_json import JsonError, ShapeError
from livesync.protocol import messages, rpc
from livesync.protocol.binding import Binding
from livesync.protocol.errors import LivesyncError, PayloadMismatchError, StoreMismatchError
from livesync.protocol.events import Cursor, Event
from livesync.protocol.messages import Limits, PullRequest
from livesync.protocol.rpc import Request, RequestId

WS_PROCEDURES = "SyncWsRpc"
HTTP_PROCEDURES = "SyncHttpRpc"
RPC_PROCEDURES = "SyncDoRpc"

_ADMIN_NAMES = ("AdminInfo", "AdminResetRoom")
_NAMES = {
    WS_PROCEDURES: ("Pull", "Push"),
    HTTP_PROCEDURES: ("Pull", "Push", "Ping", *_ADMIN_NAMES),
    RPC_PROCEDURES: ("Pull", "Push", "Ping", *_ADMIN_NAMES),
}


class Pull(NamedTuple):
    """Read what is stored after ``cursor``; if ``live``, stay for what comes.

    By RPC ``caller`` names who takes what comes.
    """

    request_id: RequestId
    cursor: Cursor | None
    live: bool
    caller: str | None = None


class Push(NamedTuple):
    """Append a valid chain of events; an empty batch asks for nothing."""

    request_id: RequestId
    backend_id: str | None
    batch: list[Event]


class PingCall(NamedTuple):
    """The procedure Ping, over HTTP and by RPC."""

    request_id: RequestId


class AdminCall(NamedTuple):
    """``AdminInfo`` or ``AdminResetRoom``, over HTTP and by RPC: tell of the store, or reset it."""

    request_id: RequestId
    deed: str
    secret: str
    tag: str


class Refused(NamedTuple):
    """A message that is answered at once with ``frame``; then the connection may have to close."""

    frame: str
    close: bool = False


Call = Pull | Push | PingCall | AdminCall


def unknown_tag(tag: str) -> str:
    """Why a request with this tag is not carried out."""
    return f"Unknown request tag: {tag[:128]}"


def read_call(
    request: Request, *, procedures: str, binding: Binding, limits: Limits
) -> Call | Refused:
    """Read a request of the group ``procedures`` on a connection with this ``binding``.

    A message that speaks for another store or payload than the URL is refused, and its connection
    with it. Never raises.
    """
    try:
        return _read(request, procedures, binding, limits)
    except ShapeError as error:
        return Refused(rpc.exit_die(request.request_id, str(error)))
    except JsonError as error:
        return Refused(rpc.defect(f"not a message: {error}"))
    except (StoreMismatchError, PayloadMismatchError) as error:
        return Refused(rpc.exit_fail(request.request_id, error), close=True)
    except LivesyncError as error:
        return Refused(rpc.exit_fail(request.request_id, error))


def _read(request: Request, procedures: str, binding: Binding, limits: Limits) -> Call:
    group, _, name = request.tag.partition(".")
    if group != procedures or name not in _NAMES[procedures]:
        raise ShapeError(unknown_tag(request.tag))
    if request.payload is None:
        raise ShapeError("missing field 'payload' at $")
    if name == "Push":
        push = messages.read_push(request.payload, limits=limits, batch=request.batch)
        binding.check(push.store_id, push.payload)
        return Push(request.request_id, push.backend_id, push.batch)
    if name == "Pull":
        pull = _read_pull(request.payload, procedures, limits)
        binding.check(pull.store_id, pull.payload)
        return Pull(request.request_id, pull.cursor, pull.live, pull.caller)
    if name in _ADMIN_NAMES:
        admin = messages.read_admin(request.payload, limits=limits)
        binding.check(admin.store_id, admin.payload)
        return AdminCall(request.request_id, name, admin.admin_secret, request.tag)
    ping = messages.read_ping(request.payload, limits=limits)
    binding.check(ping.store_id, ping.payload)
    return PingCall(request.request_id)


def _read_pull(payload: Raw, procedures: str, limits: Limits) -> PullRequest:
    if procedures == RPC_PROCEDURES:
        return messages.read_rpc_pull(payload, limits=limits)
    return messages.read_pull(payload, with_live=procedures == WS_PROCEDURES, limits=limits)
