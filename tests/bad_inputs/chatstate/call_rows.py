"""Calls of an adapter with arguments that no bot has.

``id`` is the row of the project's catalogue of bad inputs.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.chat_conformance.subjects.subject import UNDEFINED

THREAD = "slack:C1:1.2"
KEY = "thread-state:slack:C1:1.2"
FAR_MS = 4_102_444_800_000
LONG_MS = 3_600_000
DATE_MAX_MS = 8_640_000_000_000_000
"""The last instant that a JavaScript Date can hold, in the year 275760."""

LOCK = {"threadId": THREAD, "token": "of nobody", "expiresAt": FAR_MS}
ENTRY = {"message": {"number": 1}, "enqueuedAt": FAR_MS - LONG_MS, "expiresAt": FAR_MS}


class Call(NamedTuple):
    """A call, and the code and field of its refusal."""

    id: str
    what: str
    method: str
    arguments: tuple[Any, ...]
    field: str
    code: str = "invalid"


NOT_NUMBERS = {"a string": "10", "a boolean": True, "an array": [], "an object": {}}
NO_COUNTS = {
    "-1": -1,
    "a string": "5",
    "a fraction": 2.5,
    "a boolean": True,
    "2^53": 2**53,
    "an array": [],
}
NO_INSTANTS = {
    "nothing": UNDEFINED,
    "null": None,
    "a string": "2026-01-01",
    "a boolean": True,
}
NO_DATES = {"year 275761": DATE_MAX_MS + 1, "as long ago": -DATE_MAX_MS - 1}
"""Of an entry's end they are cut to what a Date can hold; see ``test_calls.py``."""
NO_NAMES = {
    "empty": "",
    "1,025 bytes": "k" * 1_025,
    "1,026 bytes in few characters": "\u20ac" * 342,
    "a number": 5,
    "null": None,
    "an array": ["key"],
}


def groups() -> dict[str, list[Call]]:
    """Every call that is refused, those together that give one argument of one method."""
    found: dict[str, list[Call]] = {}
    for row in _rows():
        found.setdefault(f"{row.id}: {row.field} of {row.method}", []).append(row)
    return found


def _rows() -> Iterator[Call]:
    yield from _ttls()
    yield from _tokens()
    yield from _names()
    yield from _values()
    yield from _counts()
    yield from _instants()


def _ttls() -> Iterator[Call]:
    for what, ttl_ms in NOT_NUMBERS.items():
        for method, arguments in {
            "set": (KEY, 1, ttl_ms),
            "setIfNotExists": (KEY, 1, ttl_ms),
            "appendToList": (KEY, 1, {"ttlMs": ttl_ms}),
            "acquireLock": (THREAD, ttl_ms),
            "extendLock": (LOCK, ttl_ms),
        }.items():
            yield Call("B84", f"{method}: ttl is {what}", method, arguments, "ttlMs")
    yield Call("B84", "a list's ttl is -1", "appendToList", (KEY, 1, {"ttlMs": -1}), "ttlMs")
    yield Call("B84", "a lock's ttl is null", "acquireLock", (THREAD, None), "ttlMs")
    yield Call("B84", "an extension's ttl is null", "extendLock", (LOCK, None), "ttlMs")


def _tokens() -> Iterator[Call]:
    for what, token in {"a number": 5, "null": None, "an array": ["token"]}.items():
        lock = {**LOCK, "token": token}
        yield Call("B85", f"extendLock: token is {what}", "extendLock", (lock, LONG_MS), "token")
        yield Call("B85", f"releaseLock: token is {what}", "releaseLock", (lock,), "token")


def _names() -> Iterator[Call]:
    for what, name in NO_NAMES.items():
        lock = {**LOCK, "threadId": name}
        for method, arguments in {
            "subscribe": (name,),
            "unsubscribe": (name,),
            "isSubscribed": (name,),
            "acquireLock": (name, LONG_MS),
            "extendLock": (lock, LONG_MS),
            "releaseLock": (lock,),
            "forceReleaseLock": (name,),
            "enqueue": (name, ENTRY, 10),
            "dequeue": (name,),
            "queueDepth": (name,),
        }.items():
            yield Call("B86", f"{method}: thread id is {what}", method, arguments, "threadId")
        for method, arguments in {
            "get": (name,),
            "set": (name, 1),
            "setIfNotExists": (name, 1),
            "delete": (name,),
            "appendToList": (name, 1),
            "getList": (name,),
        }.items():
            yield Call("B86", f"{method}: key is {what}", method, arguments, "key")


def _values() -> Iterator[Call]:
    large = "x" * 899_999  # and its two quotes
    message = {**ENTRY, "message": large}
    for method, arguments, field in (
        ("set", (KEY, large), "value"),
        ("setIfNotExists", (KEY, large), "value"),
        ("appendToList", (KEY, large), "value"),
        ("enqueue", (THREAD, message, 10), "message"),
    ):
        yield Call("B87", f"{method}: 900,001 bytes", method, arguments, field, "too_large")


def _counts() -> Iterator[Call]:
    for what, count in NO_COUNTS.items():
        options = {"maxLength": count}
        yield Call("B88", f"maxLength is {what}", "appendToList", (KEY, 1, options), "maxLength")
        yield Call("B88", f"maxSize is {what}", "enqueue", (THREAD, ENTRY, count), "maxSize")


def _instants() -> Iterator[Call]:
    for what, instant in NO_INSTANTS.items():
        for field in ("enqueuedAt", "expiresAt"):
            entry = {name: value for name, value in ENTRY.items() if name != field}
            if instant is not UNDEFINED:
                entry[field] = instant
            yield Call("B89", f"{field} is {what}", "enqueue", (THREAD, entry, 10), field)
    for what, instant in NO_DATES.items():
        entry = {**ENTRY, "enqueuedAt": instant}
        yield Call("B89", f"enqueuedAt is {what}", "enqueue", (THREAD, entry, 10), "enqueuedAt")
