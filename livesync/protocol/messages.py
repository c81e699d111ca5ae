"""What clients ask for, as it is sent, and errors as they are told; for pages see ``pages``.

Source: LiveStore sync-cf 0.4.0, ``common/ws-rpc-schema.ts``, ``common/http-rpc-schema.ts``,
``common/do-rpc-schema.ts`` and ``common/sync-message-types.ts``.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from groundwork import strict_json
from livesync.protocol.errors import (
    BackendIdMismatchError,
    InvalidBatchError,
    InvalidCursorError,
    LivesyncError,
    ServerAheadError,
)
from livesync.protocol.events import Cursor, Event, check_chain, check_cursor, check_text

T = TypeVar("T")

PUSH_ACK = "{}"
PING_ANSWER = '{"_tag":"SyncMessage.Pong"}'
ADMIN_RESET_ANSWER = '{"_tag":"SyncMessage.AdminResetRoomResponse"}'


class Limits(NamedTuple):
    """What a message may hold at most."""

    field_max_bytes: int = 1_024
    args_max_depth: int = 512
    envelope_max_depth: int = 64


class PullRequest(NamedTuple):
    """Read after ``cursor`` (None: from the start); keep it open if ``live``.

    ``payload`` is the client's own, as in its URL; None when the message repeats none. ``caller``
    is who takes the updates of a live pull by RPC: the id of a Durable Object, or of its like.
    """

    store_id: str
    cursor: Cursor | None
    live: bool
    payload: Raw | None = None
    caller: str | None = None


class PushRequest(NamedTuple):
    """Append ``batch``, made on the history ``backend_id`` (None: the client knows none yet).

    ``payload`` as in ``PullRequest``.
    """

    store_id: str
    backend_id: str | None
    batch: list[Event]
    payload: Raw | None = None


class PingRequest(NamedTuple):
    """Is the server there? ``payload`` as in ``PullRequest``."""

    store_id: str
    payload: Raw | None = None


class AdminRequest(NamedTuple):
    """Do something with the store, for who knows ``admin_secret``; ``payload`` as above."""

    store_id: str
    admin_secret: str
    payload: Raw | None = None


class WireEvent(msgspec.Struct, rename="camel", gc=False):
    """An event as it is sent; ``args`` is its JSON."""

    name: str
    seq_num: int
    parent_seq_num: int
    client_id: str
    session_id: str
    args: Raw | UnsetType = UNSET


class WireCursor(msgspec.Struct, rename="camel"):
    """A cursor as it is sent."""

    backend_id: str
    event_sequence_number: int


class Option(msgspec.Struct, rename={"tag": "_tag"}):
    """What may be missing; ``value`` is there with ``Some``."""

    tag: Literal["None", "Some"]
    value: Raw | UnsetType = UNSET


class WirePull(msgspec.Struct, rename="camel"):
    """The payload of a Pull over HTTP."""

    store_id: str
    cursor: Option
    payload: Raw | UnsetType = UNSET


class WireLivePull(WirePull, rename="camel", kw_only=True):
    """The payload of a Pull over a WebSocket."""

    live: bool


class _WireCaller(msgspec.Struct, rename="camel"):
    binding_name: str
    durable_object_id: str


class _WireRpcContext(msgspec.Struct, rename="camel"):
    caller_context: _WireCaller


class _WireRpcPull(WirePull, rename="camel", kw_only=True):
    rpc_context: _WireRpcContext | UnsetType = UNSET


class WirePush(msgspec.Struct, rename="camel"):
    """The payload of a Push."""

    store_id: str
    batch: list[WireEvent]
    backend_id: Option
    payload: Raw | UnsetType = UNSET


class _WirePing(msgspec.Struct, rename="camel"):
    store_id: str
    payload: Raw | UnsetType = UNSET


class _WireAdmin(msgspec.Struct, rename="camel"):
    store_id: str
    admin_secret: str
    payload: Raw | UnsetType = UNSET


_pull = msgspec.json.Decoder(WirePull)
_live_pull = msgspec.json.Decoder(WireLivePull)
_rpc_pull = msgspec.json.Decoder(_WireRpcPull)
_push = msgspec.json.Decoder(WirePush)
_ping = msgspec.json.Decoder(_WirePing)
_admin = msgspec.json.Decoder(_WireAdmin)
_cursor = msgspec.json.Decoder(WireCursor)
_string = msgspec.json.Decoder(str)

_SEQ_NUM_LIMIT = 2**53
_TEXT_FIELDS = ("name", "clientId", "sessionId")
_BACKEND_ID_MAX_LENGTH = 128  # ours have 21


def read_pull(payload: Raw, *, with_live: bool, limits: Limits) -> PullRequest:
    """Read the payload of a Pull; over HTTP it has no ``live``.

    Raises:
        strict_json.ShapeError: a field is missing or of another type.
        InvalidCursorError: the cursor's number is negative, its backend id empty or too long.
    """
    wire: WirePull
    wire = strict_json.read(payload, _live_pull) if with_live else strict_json.read(payload, _pull)
    own_payload = _read_payload(wire.payload, limits)
    live = isinstance(wire, WireLivePull) and wire.live
    return PullRequest(wire.store_id, _read_cursor(wire.cursor), live, own_payload)


def read_rpc_pull(payload: Raw, *, limits: Limits) -> PullRequest:
    """Read the payload of a Pull by RPC, which is live if it says who takes the updates.

    Raises:
        strict_json.ShapeError: a field is missing or of another type.
        InvalidCursorError: the cursor's number is negative, its backend id empty or too long.
    """
    wire = strict_json.read(payload, _rpc_pull)
    own_payload = _read_payload(wire.payload, limits)
    cursor = _read_cursor(wire.cursor)
    if wire.rpc_context is UNSET:
        return PullRequest(wire.store_id, cursor, False, own_payload)
    caller = wire.rpc_context.caller_context.durable_object_id
    return PullRequest(wire.store_id, cursor, True, own_payload, caller)


def read_push(payload: Raw, *, limits: Limits, batch: list[Event] | None = None) -> PushRequest:
    """Read the payload of a Push: a whole, valid chain of events, or an error.

    Args:
        payload: the payload.
        limits: what it may hold.
        batch: its events, where they were read before; not those of the payload then.

    Raises:
        strict_json.ShapeError: a field is missing or of another type.
        InvalidBatchError: the events form no chain, or one of them breaks a limit.
    """
    wire = strict_json.read(payload, _push)
    own_payload = _read_payload(wire.payload, limits)
    backend_id = _read_option(wire.backend_id, _string, "$.backendId")
    if backend_id is not None:
        _check_backend_id(backend_id)
    if batch is None:
        batch = [_read_event(event) for event in wire.batch]
    _check_events(batch, limits)
    check_chain(batch)
    return PushRequest(wire.store_id, backend_id, batch, own_payload)


def read_ping(payload: Raw, *, limits: Limits) -> PingRequest:
    """Read the payload of a Ping.

    Raises:
        strict_json.ShapeError: a field is missing or of another type.
    """
    wire = strict_json.read(payload, _ping)
    return PingRequest(wire.store_id, _read_payload(wire.payload, limits))


def read_admin(payload: Raw, *, limits: Limits) -> AdminRequest:
    """Read the payload of an admin message; its ``_tag`` says nothing that the procedure does not.

    Raises:
        strict_json.ShapeError: a field is missing or of another type.
    """
    wire = strict_json.read(payload, _admin)
    return AdminRequest(wire.store_id, wire.admin_secret, _read_payload(wire.payload, limits))


def encode_admin_info(info: Mapping[str, Any]) -> str:
    """The answer to AdminInfo, as JSON."""
    return json.dumps(
        {"_tag": "SyncMessage.AdminInfoResponse", "info": info}, separators=(",", ":")
    )


def encode_error(error: Exception) -> dict[str, Any]:
    """The members of a typed error; an unforeseen exception keeps its text to itself."""
    match error:
        case ServerAheadError():
            members: dict[str, Any] = {
                "minimumExpectedNum": error.expected,
                "providedNum": error.provided,
            }
        case BackendIdMismatchError():
            members = {"expected": error.expected, "received": error.received[:128]}
        case LivesyncError():
            members = {"cause": {"name": type(error).__name__, "message": str(error)}}
        case _:
            members = {"cause": {"name": "InternalError", "message": "the server failed"}}
    tag = error.tag if isinstance(error, LivesyncError) else LivesyncError.tag
    return members | {"_tag": tag}


def _read_event(wire: WireEvent) -> Event:
    args = None if wire.args is UNSET else str(wire.args, "utf-8")
    name, client_id, session_id = wire.name, wire.client_id, wire.session_id
    return Event(name, args, wire.seq_num, wire.parent_seq_num, client_id, session_id)


def _check_events(batch: list[Event], limits: Limits) -> None:
    # names and ids recur within a batch: what was found good once need not be looked at again
    good: set[str] = set()
    max_depth = limits.args_max_depth
    for event in batch:
        if event.seq_num >= _SEQ_NUM_LIMIT or event.parent_seq_num >= _SEQ_NUM_LIMIT:
            raise strict_json.ShapeError("a sequence number is above 2^53 - 1 at $.batch")
        if not good.issuperset(texts := (event.name, event.client_id, event.session_id)):
            for field, text in zip(_TEXT_FIELDS, texts, strict=True):
                check_text(field, text, max_bytes=limits.field_max_bytes)
            good.update(texts)
        args = event.args
        # each level takes two brackets, so most args are too short to be too deep
        if args and len(args) > 2 * max_depth and strict_json.is_deeper_than(args, max_depth):
            raise InvalidBatchError(f"invalid batch: args are nested more than {max_depth} deep")


def _read_cursor(option: Option) -> Cursor | None:
    wire = _read_option(option, _cursor, "$.cursor")
    if wire is None:
        return None
    if abs(wire.event_sequence_number) >= _SEQ_NUM_LIMIT:
        raise strict_json.ShapeError("the cursor is above 2^53 - 1 at $.cursor")
    _check_backend_id(wire.backend_id)
    cursor = Cursor(wire.backend_id, wire.event_sequence_number)
    check_cursor(cursor)
    return cursor


def _read_option(option: Option, decoder: msgspec.json.Decoder[T], place: str) -> T | None:
    if option.tag == "None":
        return None
    if option.value is UNSET:
        raise strict_json.ShapeError(f"missing field 'value' at {place}")
    return strict_json.read(option.value, decoder)


def _check_backend_id(backend_id: str) -> None:
    if not 0 < len(backend_id) <= _BACKEND_ID_MAX_LENGTH:
        raise InvalidCursorError(
            f"a backend id has 1 to {_BACKEND_ID_MAX_LENGTH} characters, not {len(backend_id)}"
        )


def _read_payload(payload: Raw | UnsetType, limits: Limits) -> Raw | None:
    if payload is UNSET:
        return None
    if strict_json.is_deeper_than(bytes(payload).decode(), limits.envelope_max_depth):
        raise strict_json.ShapeError(
            f"payload is nested more than {limits.envelope_max_depth} deep at $.payload"
        )
    return payload
