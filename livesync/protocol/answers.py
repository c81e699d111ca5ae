"""Answers as a client reads them: the other side of ``rpc`` and ``messages``.

Both dialects of Effect RPC are understood. Events are read by msgspec straight into values; their
args stay JSON text until somebody asks for more. Everything here raises ``JsonError`` for what is
no answer, whatever a server sends.

Source: ``@effect/rpc`` 0.75.1, ``RpcMessage.ts``, and Effect 4.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from groundwork import strict_json
from groundwork.strict_json import JsonError, ShapeError
from livesync.protocol.errors import BackendIdMismatchError, RemoteError, ServerAheadError
from livesync.protocol.events import MAX_SEQ_NUM, Cursor, Event
from livesync.protocol.messages import WireEvent

_BACKEND_ID_MAX_LENGTH = 128
_REASON_MAX_LENGTH = 400


class PulledEvent(Event, frozen=True, gc=False):
    """A stored event, with ``args`` as the JSON text that was pushed.

    ``backend_id`` is the history it belongs to. ``created_at`` is when the server stored it, in
    ISO 8601 and UTC; None if the server does not tell.
    """

    backend_id: str
    created_at: str | None

    @property
    def parsed_args(self) -> Any:
        """The args as Python values, read anew each time; None also where there are none.

        Raises:
            JsonError: they are nested too deeply to be read.
        """
        return None if self.args is None else strict_json.loads(self.args)

    @property
    def cursor(self) -> Cursor:
        """What a client has seen that has seen this event."""
        return Cursor(self.backend_id, self.seq_num)


class PulledPage(NamedTuple):
    """A PullResponse; ``remaining`` events follow, None: an unknown number."""

    backend_id: str
    events: Sequence[PulledEvent]
    remaining: int | None


class Chunk(NamedTuple):
    """Pages of an open pull; ``values`` is for ``read_pages``."""

    request_id: str
    values: Raw


class Exit(NamedTuple):
    """The end of a request; it was carried out if there is no error."""

    request_id: str
    error: Exception | None


class Defect(NamedTuple):
    """The server has failed to read something, and has dropped every open request."""

    reason: str


class Pong(NamedTuple):
    """The answer to a Ping."""


Answer = Chunk | Exit | Defect | Pong


class _Envelope(msgspec.Struct, rename={"kind": "_tag", "request_id": "requestId"}):
    kind: str
    request_id: str | int | UnsetType = UNSET
    values: Raw | UnsetType = UNSET
    exit: Raw | UnsetType = UNSET
    defect: Raw | UnsetType = UNSET


class _Created(msgspec.Struct, rename="camel"):
    created_at: str


class _Metadata(msgspec.Struct):
    value: _Created | UnsetType = UNSET


class WireItem(msgspec.Struct, rename="camel"):
    """An event as it stands in a page."""

    event_encoded: WireEvent
    metadata: _Metadata | UnsetType = UNSET

    @property
    def created_at(self) -> str | None:
        """When it was stored, if that is told."""
        if self.metadata is UNSET or self.metadata.value is UNSET:
            return None
        return self.metadata.value.created_at


class _PageInfo(msgspec.Struct, rename={"tag": "_tag"}):
    tag: str
    remaining: int | UnsetType = UNSET


class _Page(msgspec.Struct, rename="camel"):
    batch: list[WireItem]
    page_info: _PageInfo
    backend_id: str


_envelope = msgspec.json.Decoder(_Envelope)
_pages = msgspec.json.Decoder(list[_Page])


def read_answer(frame: bytes) -> Answer:
    """Read one message of a server; what a Chunk holds is left for ``read_pages``.

    Raises:
        JsonError: it is none.
    """
    envelope = _read(frame, _envelope)
    match envelope.kind:
        case "Chunk" if envelope.values is not UNSET:
            return Chunk(_request_id(envelope), envelope.values)
        case "Exit" if envelope.exit is not UNSET:
            return Exit(_request_id(envelope), _read_exit(envelope.exit))
        case "Defect":
            reason = b"" if envelope.defect is UNSET else bytes(envelope.defect)
            return Defect(_shortened(reason.decode(errors="replace")))
        case "Pong":
            return Pong()
    raise ShapeError(f"no answer: {envelope.kind[:128]!r}")


def read_pages(values: Raw) -> Iterator[PulledPage]:
    """Read the pages of a Chunk.

    Raises:
        JsonError: they are none.
    """
    for page in _read(values, _pages):
        if not 0 < len(page.backend_id) <= _BACKEND_ID_MAX_LENGTH:
            raise ShapeError("a page without a usable backend id")
        events = [_read_event(item, page.backend_id) for item in page.batch]
        yield PulledPage(page.backend_id, events, _remaining(page.page_info))


def _read(text: bytes | Raw, decoder: "msgspec.json.Decoder[Any]") -> Any:
    try:
        return strict_json.read(text, decoder)
    except UnicodeDecodeError:
        raise JsonError("not UTF-8") from None


def _request_id(envelope: _Envelope) -> str:
    if envelope.request_id is UNSET:
        raise ShapeError(f"{envelope.kind} without a requestId")
    return str(envelope.request_id)


def _read_event(item: WireItem, backend_id: str) -> PulledEvent:
    wire = item.event_encoded
    if wire.seq_num > MAX_SEQ_NUM or wire.parent_seq_num > MAX_SEQ_NUM:
        raise ShapeError("a sequence number is above 2^53 - 1")
    return PulledEvent(
        wire.name,
        None if wire.args is UNSET else _text(wire.args),
        wire.seq_num,
        wire.parent_seq_num,
        wire.client_id,
        wire.session_id,
        backend_id,
        item.created_at,
    )


def _text(raw: Raw) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError:
        raise JsonError("not UTF-8") from None


def _remaining(info: _PageInfo) -> int | None:
    if info.tag == "NoMore":
        return 0
    return None if info.remaining is UNSET else info.remaining


def _read_exit(raw: Raw) -> Exception | None:
    value = strict_json.loads(_text(raw))
    match value:
        case {"_tag": "Success"}:
            return None
        case {"_tag": "Failure", "cause": cause}:
            return _error_of(list(_leaves(cause)))
    raise ShapeError("an Exit that is neither success nor failure")


def _leaves(cause: Any) -> Iterator[dict[str, Any]]:
    """The single causes of a failure: a tree in Effect 3, a list in Effect 4."""
    waiting = [cause]
    while waiting:
        match waiting.pop():
            case list(causes):
                waiting += reversed(causes)
            case {"_tag": "Sequential" | "Parallel", "left": left, "right": right}:
                waiting += right, left
            case {"_tag": str()} as leaf:
                yield leaf


def _error_of(leaves: list[dict[str, Any]]) -> Exception:
    for leaf in leaves:
        if leaf["_tag"] == "Fail":
            return _typed_error(leaf.get("error"))
    for leaf in leaves:
        if leaf["_tag"] == "Die":
            return RemoteError(_words(leaf.get("defect")), name="Die")
    if any(leaf["_tag"] == "Interrupt" for leaf in leaves):
        return RemoteError("the server has ended the request", name="Interrupt")
    raise ShapeError("a failure without a cause")


def _typed_error(error: Any) -> Exception:
    match error:
        case {
            "_tag": "ServerAheadError",
            "minimumExpectedNum": int(expected),
            "providedNum": int(provided),
        }:
            return ServerAheadError(expected=expected, provided=provided)
        case {
            "_tag": "BackendIdMismatchError",
            "expected": str(expected),
            "received": str(received),
        } if 0 < len(expected) <= _BACKEND_ID_MAX_LENGTH:
            return BackendIdMismatchError(expected=expected, received=received)
        case {"_tag": "UnknownError", "cause": {"name": str(name), "message": str(message)}}:
            return RemoteError(_shortened(message), name=name[:128])
        case {"_tag": "UnknownError"}:
            return RemoteError(_words(error.get("cause")))
    return RemoteError(_words(error))


def _words(value: Any) -> str:
    return _shortened(value if isinstance(value, str) else json.dumps(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _REASON_MAX_LENGTH else f"{text[:_REASON_MAX_LENGTH]} ..."
