"""What can be done: one value per operation, as a client sends it.

Names and members are those of the wire (``docs/chat-protocol.md``), which are those of Chat SDK's
``StateAdapter``. A member that is None was left out.
"""

import math
from typing import ClassVar, Literal, NamedTuple

import msgspec
from msgspec import Raw

from chatstate.protocol.errors import InvalidError, TooLargeError
from groundwork.strict_json import is_deeper_than

Right = Literal["read", "write"]
Number = int | float

MAX_TTL_MS = 10 * 366 * 24 * 3_600_000
"""Ten years: what is longer is cut to it."""
MAX_COUNT = 2**53 - 1
MAX_REQUEST_ID_CHARS = 128
MAX_INSTANT_MS = 8_640_000_000_000_000
"""The last instant that a JavaScript Date can hold."""


class Limits(NamedTuple):
    """What an operation may hold at most."""

    key_max_bytes: int = 1_024
    value_max_bytes: int = 900_000
    value_max_depth: int = 512


class Operation(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="op",
    rename="camel",
    gc=False,
):
    """One operation.

    ``id`` is the number that its client gave it; -1: none. ``shard`` names the shard that keeps it;
    None lets the site's hooks decide. ``request_id`` tells a repetition from a new operation where
    ``is_once``; None there: the caller knows what became of its operations, as one in the same
    process does.
    """

    right: ClassVar[Right] = "write"
    is_once: ClassVar[bool] = False
    """Whether doing it twice is not the same as doing it once."""

    id: int = -1
    shard: str | None = None
    request_id: str | None = None

    @property
    def place(self) -> str:
        """The key or thread id."""
        raise NotImplementedError  # every operation is on a thread or a key, and says how

    @property
    def payload(self) -> Raw | None:
        """The JSON that is to be stored; None: nothing but the operation itself."""
        return None

    def check(self, limits: Limits) -> None:
        """Refuse what cannot be stored.

        Raises:
            InvalidError: a member is out of bounds.
            TooLargeError: a value is.
        """
        raise NotImplementedError  # every operation is on a thread or a key, and says how


class OnThread(Operation, frozen=True, kw_only=True):
    """An operation on what belongs to a thread or channel."""

    thread_id: str

    @property
    def place(self) -> str:
        return self.thread_id

    def check(self, limits: Limits) -> None:
        _check_key("threadId", self.thread_id, limits)


class OnKey(Operation, frozen=True, kw_only=True):
    """An operation on a cache entry or a list."""

    key: str

    @property
    def place(self) -> str:
        return self.key

    def check(self, limits: Limits) -> None:
        _check_key("key", self.key, limits)


class Subscribe(OnThread, frozen=True, kw_only=True, tag="subscribe"):
    """The bot listens to the thread from now on."""


class Unsubscribe(OnThread, frozen=True, kw_only=True, tag="unsubscribe"):
    """The bot listens no more."""


class IsSubscribed(OnThread, frozen=True, kw_only=True, tag="isSubscribed"):
    """Does the bot listen?"""

    right = "read"


class AcquireLock(OnThread, frozen=True, kw_only=True, tag="acquireLock"):
    """Take the thread's lock unless somebody holds it."""

    is_once = True

    ttl_ms: Number

    def check(self, limits: Limits) -> None:
        _check_key("threadId", self.thread_id, limits)
        _check_number("ttlMs", self.ttl_ms)
        check_request_id(self.request_id)


class ExtendLock(OnThread, frozen=True, kw_only=True, tag="extendLock"):
    """Hold the lock for ``ttl_ms`` from now, if the token still does."""

    token: str
    ttl_ms: Number

    def check(self, limits: Limits) -> None:
        _check_key("threadId", self.thread_id, limits)
        _check_number("ttlMs", self.ttl_ms)


class ReleaseLock(OnThread, frozen=True, kw_only=True, tag="releaseLock"):
    """Give the lock back, if the token still holds it."""

    token: str


class ForceReleaseLock(OnThread, frozen=True, kw_only=True, tag="forceReleaseLock"):
    """Take the lock away from whoever holds it."""


class EndHold(ForceReleaseLock, frozen=True, kw_only=True, tag="endHold"):
    """The same, if the holder is still the one with this ``fence``.

    Not for clients: for an operator, who has seen whose lock it is.
    """

    fence: int


class Get(OnKey, frozen=True, kw_only=True, tag="get"):
    """Read a cache entry."""

    right = "read"


class Set(OnKey, frozen=True, kw_only=True, tag="set"):
    """Write a cache entry, value and expiry both."""

    value: Raw
    ttl_ms: Number | None = None

    @property
    def payload(self) -> Raw:
        return self.value

    def check(self, limits: Limits) -> None:
        _check_key("key", self.key, limits)
        _check_value("value", self.value, limits)
        _check_number("ttlMs", self.ttl_ms)


class SetIfNotExists(OnKey, frozen=True, kw_only=True, tag="setIfNotExists"):
    """Write a cache entry unless there is a live one."""

    is_once = True

    value: Raw
    ttl_ms: Number | None = None

    @property
    def payload(self) -> Raw:
        return self.value

    def check(self, limits: Limits) -> None:
        _check_key("key", self.key, limits)
        _check_value("value", self.value, limits)
        _check_number("ttlMs", self.ttl_ms)
        check_request_id(self.request_id)


class Delete(OnKey, frozen=True, kw_only=True, tag="delete"):
    """Remove a cache entry."""


class AppendToList(OnKey, frozen=True, kw_only=True, tag="appendToList"):
    """Add a value at the end, keep the newest ``max_length``; the ttl is the whole list's."""

    is_once = True

    value: Raw
    max_length: int | None = None
    ttl_ms: Number | None = None

    @property
    def payload(self) -> Raw:
        return self.value

    def check(self, limits: Limits) -> None:
        _check_key("key", self.key, limits)
        _check_value("value", self.value, limits)
        _check_count("maxLength", self.max_length)
        _check_number("ttlMs", self.ttl_ms)
        if self.ttl_ms is not None and self.ttl_ms < 0:
            raise InvalidError("ttlMs", "of a list must not be negative")
        check_request_id(self.request_id)


class GetList(OnKey, frozen=True, kw_only=True, tag="getList"):
    """Read a list, oldest value first."""

    right = "read"


class GetMore(GetList, frozen=True, kw_only=True, tag="getMore"):
    """Read on in a list, behind the piece that ended with ``after``, up to ``end``.

    Not for clients: a transport asks for the next piece when the one before has been sent.
    """

    after: int
    end: int


class Enqueue(OnThread, frozen=True, kw_only=True, tag="enqueue"):
    """Add a message to the thread's queue, then keep the newest ``max_size``.

    The instants are milliseconds by the client's clock; see ``ttl_ms``.
    """

    is_once = True

    message: Raw
    enqueued_at: Number
    expires_at: Number
    sent_at: Number | None = None
    max_size: int | None = None

    @property
    def payload(self) -> Raw:
        return self.message

    @property
    def ttl_ms(self) -> Number:
        """How long the entry lives: a client's instants are compared with each other only."""
        sent_at = self.enqueued_at if self.sent_at is None else self.sent_at
        return self.ends_at - sent_at

    @property
    def ends_at(self) -> Number:
        """``expires_at``; beyond what a Date can hold, the last instant that one can."""
        return max(-MAX_INSTANT_MS, min(self.expires_at, MAX_INSTANT_MS))

    def check(self, limits: Limits) -> None:
        _check_key("threadId", self.thread_id, limits)
        _check_value("message", self.message, limits)
        _check_instant("enqueuedAt", self.enqueued_at)
        _check_number("expiresAt", self.expires_at)
        if self.sent_at is not None:
            _check_instant("sentAt", self.sent_at)
        _check_count("maxSize", self.max_size)
        check_request_id(self.request_id)


class Dequeue(OnThread, frozen=True, kw_only=True, tag="dequeue"):
    """Take the oldest message."""

    is_once = True

    def check(self, limits: Limits) -> None:
        _check_key("threadId", self.thread_id, limits)
        check_request_id(self.request_id)


class QueueDepth(OnThread, frozen=True, kw_only=True, tag="queueDepth"):
    """How many messages wait."""

    right = "read"


def name_of(operation: Operation | type[Operation]) -> str:
    """The operation's name on the wire, and the last part of its path."""
    return str(operation.__struct_config__.tag)


OPERATIONS: dict[str, type[Operation]] = {
    name_of(operation): operation
    for operation in (
        *(Subscribe, Unsubscribe, IsSubscribed),
        *(AcquireLock, ExtendLock, ReleaseLock, ForceReleaseLock),
        *(Get, Set, SetIfNotExists, Delete),
        *(AppendToList, GetList),
        *(Enqueue, Dequeue, QueueDepth),
    )
}
"""Every operation, by its name on the wire."""


def whole_ttl_ms(ttl_ms: Number) -> int:
    """A ttl as whole milliseconds: rounded up, ten years at most, and as far below zero."""
    return math.ceil(max(-MAX_TTL_MS, min(ttl_ms, MAX_TTL_MS)))


def key_bytes(key: str) -> bytes:
    """A key as it is stored; a lone surrogate, which UTF-8 cannot express, has bytes of its own."""
    return key.encode("utf-8", "surrogatepass")


def check_request_id(request_id: str | None) -> None:
    """Refuse a request id that is empty, too long or not of printable ASCII; None is none.

    Raises:
        InvalidError: it is.
    """
    if request_id is None:
        return
    if not 0 < len(request_id) <= MAX_REQUEST_ID_CHARS:
        raise InvalidError(
            "requestId", f"must have 1 to {MAX_REQUEST_ID_CHARS} characters, not {len(request_id)}"
        )
    if not request_id.isascii() or not request_id.isprintable():
        raise InvalidError("requestId", "must be of printable ASCII characters")


def _check_key(field: str, key: str, limits: Limits) -> None:
    most = limits.key_max_bytes
    if key and 4 * len(key) <= most:
        return  # no character takes more than four bytes
    size = len(key_bytes(key))
    if not 0 < size <= most:
        raise InvalidError(field, f"must have 1 to {most:,} bytes, not {size:,}")


def _check_value(field: str, value: Raw, limits: Limits) -> None:
    text = bytes(value)
    if len(text) > limits.value_max_bytes:
        raise TooLargeError(field, limit=limits.value_max_bytes, unit="bytes", field=field)
    # each level takes two brackets, so most values are too short to be too deep
    most = limits.value_max_depth
    if len(text) > 2 * most and is_deeper_than(text.decode(), most):
        raise InvalidError(field, f"is nested more than {most} deep")


def _check_number(field: str, number: Number | None) -> None:
    if isinstance(number, float) and not math.isfinite(number):
        raise InvalidError(field, "must be a finite number")


def _check_instant(field: str, instant: Number) -> None:
    _check_number(field, instant)
    if abs(instant) > MAX_INSTANT_MS:
        raise InvalidError(field, "must be an instant in milliseconds that a Date can hold")


def _check_count(field: str, count: int | None) -> None:
    if count is not None and not 0 <= count <= MAX_COUNT:
        raise InvalidError(field, "must be a whole number from 0 to 2^53 - 1")
