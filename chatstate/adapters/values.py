"""Between Chat SDK's values and those of the protocol.

What a bot stores is written as JavaScript writes it, so that a bot in either language can read it.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from msgspec import Raw

from chatstate.adapters.sdk import Message, QueueEntry
from chatstate.protocol.errors import InvalidError
from chatstate.protocol.operations import Number
from groundwork import strict_json

_MESSAGE_TYPE = "chat:Message"
_CONSTANTS = {"null": None, "true": True, "false": False}


def to_json(value: Any) -> Raw:
    """A value as JSON.

    NaN and the infinities become null. Instants become ISO texts in UTC with milliseconds, and what
    has a method ``to_json`` becomes what that gives.

    Raises:
        TypeError: JSON has no form for it.
        ValueError: it contains itself.
    """
    try:
        text = _strict.encode(value)
    except ValueError:
        # one that contains itself fails here again
        text = _strict.encode(json.loads(_lax.encode(value), parse_constant=lambda _: None))
    # a lone surrogate, which UTF-8 cannot express, becomes its escape
    return Raw(text.encode("utf-8", "backslashreplace"))


def from_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        groundwork.strict_json.JsonError: it is nested too deeply.
    """
    if text in _CONSTANTS:  # what most operations come to
        return _CONSTANTS[text]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return strict_json.loads(text)  # Python counts the digits of whole numbers


class Envelope(NamedTuple):
    """An entry of a queue: the message as JSON, the instants in epoch milliseconds."""

    message: Raw
    enqueued_at: Number
    expires_at: Number


def open_entry(entry: QueueEntry | Mapping[str, Any]) -> Envelope:
    """An entry as it is sent; a mapping may spell its members as Python or as TypeScript does.

    Raises:
        InvalidError: a member is missing or of a wrong type.
        TypeError: JSON has no form for the message.
    """
    if isinstance(entry, Mapping):
        enqueued_at = entry.get("enqueuedAt", entry.get("enqueued_at"))
        expires_at = entry.get("expiresAt", entry.get("expires_at"))
        message = entry.get("message")
    else:
        enqueued_at, expires_at, message = entry.enqueued_at, entry.expires_at, entry.message
    return Envelope(
        to_json(_plain(message)),
        number("enqueuedAt", enqueued_at),
        number("expiresAt", expires_at),
    )


def make_entry(dequeued: Mapping[str, Any], *, now_ms: int) -> QueueEntry:
    """An entry from the answer to ``dequeue``.

    It is live by the server's clock, while Chat drops what is past by the bot's own, which may be
    ahead of the one that wrote the entry: such an entry gets the time that is left from now.
    """
    message = dequeued["message"]
    if isinstance(message, dict) and message.get("_type") == _MESSAGE_TYPE:
        message = Message.from_json(message)
    expires_at = dequeued["expiresAt"]
    if expires_at < now_ms:
        expires_at = now_ms + dequeued["ttlMs"]
    return QueueEntry(enqueued_at=dequeued["enqueuedAt"], expires_at=expires_at, message=message)


def text(field: str, value: Any) -> str:
    """A key, thread id or token.

    Raises:
        InvalidError: it is no string.
    """
    if not isinstance(value, str):
        raise InvalidError(field, f"must be a string, not {type(value).__name__}")
    return value


def number(field: str, value: Any) -> Number:
    """A number that has to be there.

    Raises:
        InvalidError: it is none, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidError(field, f"must be a number, not {type(value).__name__}")
    if not math.isfinite(value):
        raise InvalidError(field, "must be a finite number")
    return value


def optional_number(field: str, value: Any) -> Number | None:
    """A number that may be left out: None, 0, NaN and the infinities all mean that.

    Raises:
        InvalidError: it is something else than a number.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return number(field, value) or None


def optional_count(field: str, value: Any) -> int | None:
    """A whole number that may be left out, as ``optional_number``.

    Raises:
        InvalidError: it is something else than a whole number.
    """
    found = optional_number(field, value)
    if isinstance(found, float) and not found.is_integer():
        raise InvalidError(field, "must be a whole number")
    return None if found is None else int(found)


def _plain(message: Any) -> Any:
    if message is None or isinstance(message, str | int | float | list | dict):
        return message
    return message if hasattr(message, "to_json") else vars(message)


def _default(value: Any) -> Any:
    if hasattr(value, "to_json"):
        return value.to_json()
    if isinstance(value, datetime) and value.tzinfo is not None:
        instant = value.astimezone(UTC).replace(tzinfo=None)
        return f"{instant.isoformat(timespec='milliseconds')}Z"
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"JSON has no form for {type(value).__name__}")


_strict = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default
)
_lax = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_default)
