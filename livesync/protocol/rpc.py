"""Envelopes of Effect RPC: request, chunk, exit, interrupt, ping; both dialects.

A request id is text of digits from a client on Effect 3 (LiveStore 0.4.0), a JSON number from one
on Effect 4; answers repeat it as it came and speak its dialect.

Source: ``@effect/rpc`` 0.75.1, ``RpcMessage.ts`` and ``RpcSerialization.ts``, and Effect 4.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeGuard

import msgspec
from msgspec import UNSET, Raw, UnsetType

from groundwork import strict_json
from groundwork.strict_json import JsonError
from livesync.protocol.events import Event
from livesync.protocol.messages import encode_error

RequestId = str | int
"""Text: Effect 3; a number: Effect 4."""

PONG = '{"_tag":"Pong"}'
MAX_ARRAY_MESSAGES = 16

_REASON_MAX_LENGTH = 400  # a reason may repeat what the client sent
# an Ack or a Ping: few differ, since clients count their requests from 0, and most frames are one
_RECURRING_MAX_LENGTH = 64
_MAX_ID_DIGITS = 20
_MAX_ID_NUMBER = 2**53 - 1


class Request(NamedTuple):
    """A call: ``tag`` names the procedure, ``payload`` is its argument as JSON (None: absent).

    ``batch`` has the events of a push if they were read with the message; the payload has none.
    """

    request_id: RequestId
    tag: str
    payload: Raw | None
    batch: list[Event] | None = None


class Ack(NamedTuple):
    """The client has taken one chunk of this request."""

    request_id: RequestId


class Interrupt(NamedTuple):
    """The client has given up this request."""

    request_id: RequestId


class Ping(NamedTuple):
    """Are you there?"""


class Eof(NamedTuple):
    """The client will send no more requests; it asks for nothing."""


class Malformed(NamedTuple):
    """Not a message; ``answer`` blames the request ``request_id``, or None in particular."""

    reason: str
    request_id: RequestId | None = None

    @property
    def answer(self) -> str:
        """What the client is told."""
        if self.request_id is None:
            return defect(self.reason)
        return exit_die(self.request_id, self.reason)


class TooMany(NamedTuple):
    """An array of more messages than are read at a time; none of them was."""

    total: int

    @property
    def reason(self) -> str:
        """What is wrong, in words."""
        return f"{self.total} messages in one array, at most {MAX_ARRAY_MESSAGES}"

    @property
    def answer(self) -> str:
        """What the client is told."""
        return defect(self.reason)


Message = Request | Ack | Interrupt | Ping | Eof | Malformed | TooMany


class _Envelope(msgspec.Struct, rename={"kind": "_tag", "request_id": "requestId"}):
    kind: str
    id: str | int | UnsetType = UNSET
    request_id: str | int | UnsetType = UNSET
    tag: Raw | UnsetType = UNSET
    payload: Raw | UnsetType = UNSET


_envelope = msgspec.json.Decoder(_Envelope)
_array = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)


def read_messages(frame: str) -> list[Message]:
    """Read one frame: a message, or an array of up to 16 messages. Never raises."""
    return list(
        _read_recurring(frame) if len(frame) <= _RECURRING_MAX_LENGTH else _read_frame(frame)
    )


def chunk(request_id: RequestId, values: str) -> str:
    """A chunk; ``values`` is the JSON of one or more values, with commas between."""
    return f'{{"_tag":"Chunk","requestId":{json.dumps(request_id)},"values":[{values}]}}'


def rpc_chunk(request_id: RequestId, page: str) -> str:
    """A chunk of a Pull by RPC, where each value repeats the request's id, always as text."""
    return chunk(request_id, f'{{"rpcRequestId":"{request_id}",{page[1:]}')


def chunk_head(request_id: RequestId) -> str:
    """What comes before the values in a chunk; ``CHUNK_TAIL`` comes behind them."""
    return f'{{"_tag":"Chunk","requestId":{json.dumps(request_id)},"values":['


CHUNK_TAIL = "]}"


def exit_success(request_id: RequestId, value: str | None = None) -> str:
    """The good end of a request; ``value`` is JSON, None for a procedure that returns nothing."""
    if value is None:
        value_member = ',"value":null' if isinstance(request_id, int) else ""
    else:
        value_member = f',"value":{value}'
    return _exit(request_id, f'{{"_tag":"Success"{value_member}}}')


def exit_fail(request_id: RequestId, error: Exception) -> str:
    """The end of a request with an error that the client's code can tell apart."""
    return _failure(request_id, {"_tag": "Fail", "error": encode_error(error)})


def exit_die(request_id: RequestId, reason: str) -> str:
    """The end of a request that has a wrong shape or names an unknown procedure."""
    return _failure(request_id, {"_tag": "Die", "defect": reason[:_REASON_MAX_LENGTH]})


def exit_interrupted(request_id: RequestId) -> str:
    """The end of a request that the client has interrupted."""
    fiber: Any = -1 if isinstance(request_id, int) else {"_tag": "None"}
    return _failure(request_id, {"_tag": "Interrupt", "fiberId": fiber})


def defect(reason: str) -> str:
    """What no request can be blamed for. It ends every open request of the client's socket."""
    return _dumps({"_tag": "Defect", "defect": reason[:_REASON_MAX_LENGTH]})


def _exit(request_id: RequestId, value: str) -> str:
    return f'{{"_tag":"Exit","requestId":{json.dumps(request_id)},"exit":{value}}}'


def _failure(request_id: RequestId, cause: dict[str, Any]) -> str:
    causes: Any = [cause] if isinstance(request_id, int) else cause
    return _exit(request_id, _dumps({"_tag": "Failure", "cause": causes}))


def _dumps(value: Any) -> str:
    # escaped to ASCII: an error may repeat a lone surrogate that UTF-8 cannot carry
    return json.dumps(value, separators=(",", ":"))


def _read_frame(frame: str) -> Sequence[Message]:
    try:
        if not frame.lstrip(" \t\n\r").startswith("["):
            return (_read_message(frame),)
        items = strict_json.read(frame, _array)
    except JsonError as error:
        return (Malformed(f"not a message: {error}"),)
    if len(items) > MAX_ARRAY_MESSAGES:
        return (TooMany(len(items)),)
    return tuple(map(_read_item, items))


_read_recurring = lru_cache(maxsize=1_024)(_read_frame)


def _read_item(item: Raw) -> Message:
    try:
        return _read_message(item)
    except JsonError as error:
        return Malformed(f"not a message: {error}")


def _read_message(text: str | Raw) -> Message:
    envelope = strict_json.read(text, _envelope)
    match envelope.kind:
        case "Ping":
            return Ping()
        case "Request":
            return _read_request(envelope)
        case "Ack" if _is_usable(envelope.request_id):
            return Ack(envelope.request_id)
        case "Interrupt" if _is_usable(envelope.request_id):
            return Interrupt(envelope.request_id)
        case "Ack" | "Interrupt":
            return Malformed(f"{envelope.kind} without a usable requestId")
        case "Eof":
            return Eof()
        case unknown:
            request_id = envelope.id if _is_usable(envelope.id) else None
            return Malformed(f"Unknown request tag: {unknown[:128]}", request_id)


def _read_request(envelope: _Envelope) -> Message:
    if not _is_usable(envelope.id):
        return Malformed("Request without a usable id")
    payload = None if envelope.payload is UNSET else envelope.payload
    return Request(envelope.id, _read_tag(envelope.tag), payload)


def _read_tag(tag: Raw | UnsetType) -> str:
    """The procedure's name; empty, which no procedure is called, when it is not a string."""
    if tag is UNSET:
        return ""
    try:
        return strict_json.read(tag, _text)
    except JsonError:
        return ""


def _is_usable(request_id: RequestId | UnsetType) -> TypeGuard[RequestId]:
    if isinstance(request_id, str):
        digits = request_id.isascii() and request_id.isdigit()
        return digits and len(request_id) <= _MAX_ID_DIGITS
    return isinstance(request_id, int) and 0 <= request_id <= _MAX_ID_NUMBER
