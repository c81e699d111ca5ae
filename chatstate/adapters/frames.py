"""Frames as a client sends and reads them; ``docs/chat-protocol.md``."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from chatstate.protocol import errors
from chatstate.protocol.errors import ChatstateError
from chatstate.protocol.operations import Operation, name_of
from groundwork import strict_json

KEEP_ALIVE = b"[]"
"""A frame that says nothing but that its sender is there."""

_NULL = Raw(b"null")


class NotProtocolError(Exception):
    """A frame that is none of the protocol."""


class Welcome(msgspec.Struct, frozen=True, rename="camel"):
    """The server knows the token; what it takes in one frame."""

    namespace: str
    max_frame_bytes: int = 1_048_576
    max_operations: int = 1_000


class Answer(NamedTuple):
    """An answer, or a piece of one.

    Attributes:
        value: JSON; of no meaning with ``items`` or ``error``.
        items: JSON of the items of a piece of a list; None: it is no list.
        more: whether more pieces follow.
        error: what the operation was refused with.
    """

    id: int
    value: Raw = _NULL
    items: Sequence[Raw] | None = None
    more: bool = False
    error: ChatstateError | None = None


Received: TypeAlias = "Sequence[Answer] | Welcome | ChatstateError"
"""What a frame of the server holds."""


class _Answer(msgspec.Struct):
    id: int
    value: Raw = _NULL
    items: list[Raw] | None = None
    more: bool = False
    error: Raw = _NULL


class _Other(msgspec.Struct):
    error: Raw = _NULL


_answers = msgspec.json.Decoder(list[_Answer])
_other = msgspec.json.Decoder(_Other)
_welcome = msgspec.json.Decoder(Welcome)
_classes: dict[str, type[ChatstateError]] = {
    error.code: error
    for error in (
        *(errors.MalformedError, errors.InvalidError, errors.UnknownOperationError),
        *(errors.UnknownShardError, errors.UnauthorizedError, errors.ForbiddenError),
        *(errors.ConflictError, errors.TooLargeError, errors.InternalError),
        *(errors.BusyError, errors.FrozenError, errors.UnavailableError),
    )
}


def hello(token: str) -> str:
    """The first frame."""
    return json.dumps({"token": token})


def write(operation: Operation) -> bytes:
    """An operation as it stands in a frame."""
    try:
        return msgspec.json.encode(operation)
    except UnicodeEncodeError:
        # a lone surrogate in a key: JSON has an escape for it, which msgspec does not write
        return _write_escaped(operation)


def frame(operations: Iterable[bytes]) -> bytes:
    """A frame of operations."""
    return b"[" + b",".join(operations) + b"]"


def read(data: bytes) -> Received:
    """What a frame of the server says.

    Raises:
        NotProtocolError: nothing that is of the protocol.
    """
    try:
        if data.startswith(b"["):
            return [_read_answer(answer) for answer in _read_answers(data)]
        other = _other.decode(data)
        error = _read_error(other.error)
        return _welcome.decode(data) if error is None else error
    except (msgspec.DecodeError, ValueError, KeyError, TypeError) as problem:
        raise NotProtocolError(f"a frame that is none of the protocol: {problem}") from problem


def _write_escaped(operation: Operation) -> bytes:
    members = [f'"op":{json.dumps(name_of(operation))}']
    for field in msgspec.structs.fields(operation):
        value = getattr(operation, field.name)
        text = str(value, "utf-8") if isinstance(value, Raw) else json.dumps(value)
        members.append(f'"{field.encode_name}":{text}')
    return f"{{{','.join(members)}}}".encode()


def _read_answers(data: bytes) -> list[_Answer]:
    try:
        return _answers.decode(data)
    except msgspec.DecodeError:
        # msgspec refuses the escape of a lone surrogate, which JavaScript writes for a cut emoji
        return [_again(members) for members in strict_json.loads(data.decode())]


def _again(members: dict[str, Any]) -> _Answer:
    answer_id = int(members["id"])  # first: of what is no object it is a TypeError
    items = members.get("items")
    return _Answer(
        answer_id,
        _raw(members.get("value")),
        None if items is None else [_raw(item) for item in items],
        bool(members.get("more")),
        _raw(members.get("error")),
    )


def _raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def _read_answer(answer: _Answer) -> Answer:
    error = _read_error(answer.error)
    return Answer(answer.id, answer.value, answer.items, answer.more, error)


def _read_error(told: Raw) -> ChatstateError | None:
    """The error that the server told, of the class that it has in the server as well."""
    if bytes(told) == bytes(_NULL):
        return None
    members = json.loads(bytes(told))
    code, message = members["code"], str(members["message"])
    kind = _classes.get(code)
    if kind is None:  # of a newer server
        return ChatstateError(f"{code}: {message}")
    # not by the constructors, which make the message from facts that are not told
    error = kind.__new__(kind, message)
    error.field = members.get("field")
    return error
