"""What a request asks for: its procedure, its argument, and whether it fits its connection."""

from typing import NamedTuple

from groundwork.strict_json import JsonError, ShapeError
from livesync.protocol import messages, rpc
from livesync.protocol.errors import LivesyncError, StoreMismatchError
from livesync.protocol.events import Cursor, Event
from livesync.protocol.messages import Limits
from livesync.protocol.rpc import Request, RequestId

WS_PROCEDURES = "SyncWsRpc"
HTTP_PROCEDURES = "SyncHttpRpc"

_NAMES = {WS_PROCEDURES: ("Pull", "Push"), HTTP_PROCEDURES: ("Pull", "Push", "Ping")}


class Pull(NamedTuple):
    """Read what is stored after ``cursor``; if ``live``, stay for what comes."""

    request_id: RequestId
    cursor: Cursor | None
    live: bool


class Push(NamedTuple):
    """Append a valid chain of events; an empty batch asks for nothing."""

    request_id: RequestId
    backend_id: str | None
    batch: list[Event]


class PingCall(NamedTuple):
    """The procedure Ping of the HTTP transport."""

    request_id: RequestId


class Refused(NamedTuple):
    """A message that is answered at once with ``frame``; then the connection may have to close."""

    frame: str
    close: bool = False


Call = Pull | Push | PingCall


def read_call(
    request: Request, *, procedures: str, store_id: str, limits: Limits
) -> Call | Refused:
    """Read a request of the group ``procedures`` on a connection to ``store_id``.

    The URL's store is the only one a connection speaks for: a message that names another is
    refused, and its connection with it. Never raises.
    """
    try:
        return _read(request, procedures, store_id, limits)
    except ShapeError as error:
        return Refused(rpc.exit_die(request.request_id, str(error)))
    except JsonError as error:
        return Refused(rpc.defect(f"not a message: {error}"))
    except StoreMismatchError as error:
        return Refused(rpc.exit_fail(request.request_id, error), close=True)
    except LivesyncError as error:
        return Refused(rpc.exit_fail(request.request_id, error))


def _read(request: Request, procedures: str, store_id: str, limits: Limits) -> Call:
    group, _, name = request.tag.partition(".")
    if group != procedures or name not in _NAMES[procedures]:
        raise ShapeError(f"Unknown request tag: {request.tag[:128]}")
    if request.payload is None:
        raise ShapeError("missing field 'payload' at $")
    if name == "Push":
        push = messages.read_push(request.payload, limits=limits)
        _check_store(push.store_id, store_id)
        return Push(request.request_id, push.backend_id, push.batch)
    if name == "Pull":
        with_live = procedures == WS_PROCEDURES
        pull = messages.read_pull(request.payload, with_live=with_live, limits=limits)
        _check_store(pull.store_id, store_id)
        return Pull(request.request_id, pull.cursor, pull.live)
    _check_store(messages.read_ping(request.payload, limits=limits), store_id)
    return PingCall(request.request_id)


def _check_store(named: str, store_id: str) -> None:
    if named != store_id:
        raise StoreMismatchError
