"""Frames: operations in, answers out. The one place that knows how they are written.

``docs/chat-protocol.md`` describes them for those who write a client.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Raw

from chatstate.protocol.errors import (
    ChatstateError,
    InvalidError,
    MalformedError,
    TooLargeError,
    UnauthorizedError,
    UnknownOperationError,
)
from chatstate.protocol.operations import (
    OPERATIONS,
    AcquireLock,
    AppendToList,
    Delete,
    Dequeue,
    Enqueue,
    ExtendLock,
    ForceReleaseLock,
    Get,
    GetList,
    IsSubscribed,
    Operation,
    QueueDepth,
    ReleaseLock,
    Set,
    SetIfNotExists,
    Subscribe,
    Unsubscribe,
)
from groundwork import strict_json

MAX_ID = 2**53 - 1
READABLE_DEPTH = 700
"""How deep an operation may be nested to be read at all; a reader gives up near 1,000."""
NULL, TRUE, FALSE = "null", "true", "false"


class Refused(NamedTuple):
    """An operation that could be told apart but not read."""

    id: int
    error: ChatstateError


class _Head(msgspec.Struct):
    id: int
    op: str


class _Hello(msgspec.Struct):
    token: str


_Any = (
    Subscribe
    | Unsubscribe
    | IsSubscribed
    | AcquireLock
    | ExtendLock
    | ReleaseLock
    | ForceReleaseLock
    | Get
    | Set
    | SetIfNotExists
    | Delete
    | AppendToList
    | GetList
    | Enqueue
    | Dequeue
    | QueueDepth
)

_frame = msgspec.json.Decoder(list[_Any])
_items = msgspec.json.Decoder(list[Raw])
_head = msgspec.json.Decoder(_Head)
_hello = msgspec.json.Decoder(_Hello)
_decoders: dict[str, msgspec.json.Decoder[Operation]] = {
    name: msgspec.json.Decoder(operation) for name, operation in OPERATIONS.items()
}


def read_hello(text: str) -> str:
    """The token of the first frame.

    Raises:
        MalformedError: it is not JSON.
        UnauthorizedError: there is no token in it.
    """
    try:
        return strict_json.read(text, _hello).token
    except strict_json.ShapeError:
        raise UnauthorizedError from None
    except strict_json.JsonError as error:
        raise MalformedError(f"the first frame is not JSON: {error}") from None


def read_operations(text: str, *, max_operations: int) -> list[Operation | Refused]:
    """The operations of a frame, in their order.

    Raises:
        MalformedError: it is not a JSON array, or an item has no usable id.
        TooLargeError: it holds more than ``max_operations``; none of them was read.
    """
    try:
        operations: list[Operation | Refused] = list(_frame.decode(text))
    except (msgspec.DecodeError, RecursionError):
        return _read_one_by_one(text, max_operations)
    _check_number_of(operations, max_operations)
    if any(not 0 <= operation.id <= MAX_ID for operation in operations):
        return _read_one_by_one(text, max_operations)
    return operations


def read_members(name: str, text: str) -> Operation:
    """An operation from its members alone, as they come over HTTP.

    Raises:
        UnknownOperationError: there is none of this name.
        MalformedError: the text is not a JSON object.
        InvalidError: a member is missing or of a wrong type.
    """
    if name not in _decoders:
        raise UnknownOperationError(name)
    if strict_json.is_deeper_than(text, READABLE_DEPTH):
        raise _too_deep(name)
    try:
        members = strict_json.loads(text)
    except strict_json.JsonError as error:
        raise MalformedError(f"the body is not JSON: {error}") from None
    if not isinstance(members, dict):
        raise MalformedError("the body must be a JSON object")
    # the reader looks for the name among the members, and takes the last of two
    tagged = f'{text.rstrip()[:-1]}{"," if members else ""}"id":0,"op":"{name}"}}'
    return _read_operation(tagged, name)


def answer(operation_id: int, value: str) -> str:
    """One answer; ``value`` is JSON."""
    return f'{{"id":{operation_id},"value":{value}}}'


def list_piece(operation_id: int, items: Sequence[str], *, more: bool) -> str:
    """One piece of the answer to a ``getList``; the items are JSON."""
    return f'{{"id":{operation_id},"items":[{",".join(items)}],"more":{TRUE if more else FALSE}}}'


def refusal(operation_id: int, error: ChatstateError) -> str:
    """The answer to an operation that was not done."""
    return f'{{"id":{operation_id},{failure(error)[1:]}'


def failure(error: ChatstateError) -> str:
    """What is said of an error that concerns no operation in particular."""
    told = {"code": error.code, "message": str(error)}
    if error.field is not None:
        told["field"] = error.field
    return json.dumps({"error": told})


def frame(answers: Iterable[str]) -> str:
    """A frame of answers."""
    return f"[{','.join(answers)}]"


def greeting(**members: Any) -> str:
    """The answer to the first frame."""
    return json.dumps(members)


def _read_one_by_one(text: str, max_operations: int) -> list[Operation | Refused]:
    """The same for a frame in which something is odd: tell what, and for which operation."""
    readable = strict_json.without_deep_parts(text, READABLE_DEPTH + 2)
    try:
        items: list[Raw] = strict_json.read(readable, _items)
    except strict_json.JsonError as error:
        raise MalformedError(f"not an array of operations: {error}") from None
    _check_number_of(items, max_operations)
    return [_read_item(str(item, "utf-8")) for item in items]


def _check_number_of(items: Sequence[object], max_operations: int) -> None:
    if len(items) > max_operations:
        raise TooLargeError("a frame", limit=max_operations, unit="operations")


def _read_item(text: str) -> Operation | Refused:
    try:
        head = strict_json.read(text, _head)
    except strict_json.JsonError as error:
        raise MalformedError(f"an operation without a usable id and op: {error}") from None
    if not 0 <= head.id <= MAX_ID:
        raise MalformedError("an operation's id must be from 0 to 2^53 - 1")
    if head.op not in _decoders:
        return Refused(head.id, UnknownOperationError(head.op))
    if strict_json.is_deeper_than(text, READABLE_DEPTH):
        return Refused(head.id, _too_deep(head.op))
    try:
        return _read_operation(text, head.op)
    except ChatstateError as error:
        return Refused(head.id, error)


def _read_operation(text: str, name: str) -> Operation:
    try:
        return strict_json.read(text, _decoders[name])
    except strict_json.JsonError as error:
        raise _explained(text, OPERATIONS[name], error) from None


def _too_deep(name: str) -> InvalidError:
    # nothing else of an operation can be nested
    field = "message" if name == "enqueue" else "value"
    return InvalidError(field, f"is nested more than {READABLE_DEPTH - 1} deep")


def _explained(text: str, wanted: type[Operation], error: Exception) -> InvalidError:
    """Which member is wrong, and how."""
    members = strict_json.loads(text)
    for field in msgspec.structs.fields(wanted):
        name = field.encode_name
        if name not in members:
            if field.required:
                return InvalidError(name, "is missing")
        elif problem := _problem(members[name], field.type):
            return InvalidError(name, problem)
    return InvalidError("operation", f"cannot be read: {error}")


def _problem(value: Any, wanted: Any) -> str | None:
    if wanted is Raw:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        msgspec.convert(value, wanted)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return f"must be {_name(wanted)}, not {_kind(value)}"
    return None


def _name(wanted: Any) -> str:
    types = get_args(wanted) or (wanted,)
    names = {str: "a string", int: "a whole number", float: "a number"}
    name = names[float] if float in types else names[types[0]]
    return f"{name} or null" if type(None) in types else name


def _kind(value: Any) -> str:
    match value:
        case None:
            return NULL
        case bool():
            return "a boolean"
        case int() | float():
            return str(value)[:32]
        case str():
            return "a string"
        case list():
            return "an array"
    return "an object"
