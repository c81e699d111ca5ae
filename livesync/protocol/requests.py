"""Requests as a client writes them: the other side of ``rpc`` and ``messages``.

Args are text from end to end: they leave here as they were given.
"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, UnsetType

from livesync.protocol.calls import WS_PROCEDURES
from livesync.protocol.events import Cursor, Event
from livesync.protocol.messages import (
    Option,
    WireCursor,
    WireEvent,
    WireLivePull,
    WirePull,
    WirePush,
)

PING = b'{"_tag":"Ping"}'

BATCH_MAX_EVENTS = 100
"""Most events in one push; what LiveStore's own client keeps to."""

BATCH_MAX_BYTES = 900_000
"""Most bytes of a push; what LiveStore's own client keeps to, below a frame of 1 MiB."""

_encoder = msgspec.json.Encoder()
_NONE = Option("None")


def pull(
    request_id: str, store_id: str, cursor: Cursor | None, *, live: bool, payload: Raw | None
) -> bytes:
    """A pull over a WebSocket: what is stored after ``cursor``; if ``live``, what comes as well.

    ``payload`` is the client's own, as in its URL.
    """
    fields = (store_id, _cursor_option(cursor), _or_unset(payload))
    return _request(request_id, "SyncWsRpc.Pull", WireLivePull(*fields, live=live))


def pull_over_http(
    request_id: str, store_id: str, cursor: Cursor | None, *, payload: Raw | None
) -> bytes:
    """The same over HTTP, where no pull is live."""
    wire = WirePull(store_id, _cursor_option(cursor), _or_unset(payload))
    return _request(request_id, "SyncHttpRpc.Pull", wire)


def push(
    request_id: str,
    store_id: str,
    batch: Sequence[Event],
    backend_id: str,
    *,
    payload: Raw | None,
    procedures: str = WS_PROCEDURES,
) -> bytes:
    """A push of a batch that was made on the history ``backend_id``."""
    wire = push_payload(store_id, batch, backend_id, payload=payload)
    return _request(request_id, f"{procedures}.Push", wire)


def push_payload(
    store_id: str, batch: Sequence[Event], backend_id: str, *, payload: Raw | None
) -> WirePush:
    """What a push says, without its envelope."""
    events = [_wire_event(event) for event in batch]
    return WirePush(store_id, events, _some(backend_id), _or_unset(payload))


def ack(request_id: str) -> bytes:
    """One chunk of this request was taken."""
    return f'{{"_tag":"Ack","requestId":"{request_id}"}}'.encode()


def interrupt(request_id: str) -> bytes:
    """This request is given up."""
    return f'{{"_tag":"Interrupt","requestId":"{request_id}"}}'.encode()


def size_of(event: Event) -> int:
    """Bytes that an event takes in a push."""
    return len(_encoder.encode(_wire_event(event))) + 1


def encode(value: object) -> Raw:
    """A value of this module as JSON."""
    return Raw(_encoder.encode(value))


def _wire_event(event: Event) -> WireEvent:
    return WireEvent(
        event.name,
        event.seq_num,
        event.parent_seq_num,
        event.client_id,
        event.session_id,
        UNSET if event.args is None else Raw(event.args.encode()),
    )


def _cursor_option(cursor: Cursor | None) -> Option:
    if cursor is None:
        return _NONE
    return _some(WireCursor(cursor.backend_id, cursor.seq_num))


def _some(value: object) -> Option:
    return Option("Some", encode(value))


def _or_unset(payload: Raw | None) -> Raw | UnsetType:
    return UNSET if payload is None else payload


def _request(request_id: str, tag: str, wire: object) -> bytes:
    head = f'{{"_tag":"Request","id":"{request_id}","tag":"{tag}","headers":[],"payload":'
    return head.encode() + _encoder.encode(wire) + b"}"
