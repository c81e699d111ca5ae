"""Write JSON values as msgpack and records; see the package."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.msgpack import Ext

from groundwork import strict_json
from livesync.protocol.records.form import DEFINITION, FIRST_ID, LAST_ID, UINT16, UINT32

_json = msgspec.json.Decoder()
_msgpack = msgspec.msgpack.Encoder()


def from_json(text: str) -> bytes:
    """Encode the value that a JSON text stands for.

    Raises:
        strict_json.JsonError: it is not JSON.
    """
    try:
        value = _json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        value = strict_json.loads(text)  # it may hold a lone surrogate
    return encode(value)


def encode(value: Any) -> bytes:
    """Encode a value as ``json.loads`` gives it, every object as a record.

    The bytes are those of msgpackr. Integers beyond 32 bits become floats, which is how JavaScript
    has them.
    """
    writer = Writer()
    writer.write(value)
    return writer.finish()


class Writer:
    """Collects what msgspec encodes in one call: a message is nothing but a run of tokens.

    The id of a record is the byte of a small integer. Written by hand are definitions, heads of
    arrays, and the integers that look like ids.

    Attributes:
        tokens: what is written so far.
        ids: the id of each record that can be named by it, under its keys.
        is_full: whether all ids were given, so that the next new record takes one from another.
    """

    __slots__ = ("_keys", "_next", "ids", "is_full", "tokens")

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.ids: dict[tuple[str, ...], int] = {}
        self.is_full = False
        self._keys: dict[int, tuple[str, ...]] = {}
        self._next = FIRST_ID

    def write(self, value: Any) -> None:
        """Write a value as ``json.loads`` gives it; depth takes no depth of calls."""
        put, known = self.tokens.append, self.ids.get
        waiting: list[Iterator[Any]] = []
        items: Iterator[Any] = iter((value,))
        while True:
            for item in items:
                kind = type(item)
                if kind is str or (kind is int and (0 <= item < 64 or 127 < item < 2**32)):
                    put(item)
                elif kind is dict:
                    keys = tuple(item)
                    put(known(keys) or self.define(keys))
                    waiting.append(items)
                    items = iter(item.values())
                    break
                elif kind is list:
                    put(array_head(len(item)))
                    waiting.append(items)
                    items = iter(item)
                    break
                else:
                    put(integer(item) if kind is int else item)
            else:
                if not waiting:
                    return
                items = waiting.pop()

    def open(self, keys: tuple[str, ...]) -> None:
        """Write what stands before the values of a record with these keys."""
        self.tokens.append(self.ids.get(keys) or self.define(keys))

    def open_array(self, length: int) -> None:
        """Write what stands before the items of an array."""
        self.tokens.append(array_head(length))

    def define(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Begin a record whose keys are new to the message; what comes next, before its values."""
        record_id = self._next
        self.is_full |= record_id == LAST_ID
        self._next = FIRST_ID if record_id == LAST_ID else record_id + 1
        if record_id in self._keys:
            del self.ids[self._keys[record_id]]  # all ids are given: the oldest goes
        self.ids[keys] = record_id
        self._keys[record_id] = keys
        self.tokens.append(Ext(DEFINITION, bytes((record_id,))))
        return keys

    def finish(self) -> bytes:
        """All that was written."""
        try:
            return _msgpack.encode(self.tokens)[len(_array_head(len(self.tokens))) :]
        except UnicodeEncodeError:
            return b"".join(map(_token, self.tokens))  # one of them has a lone surrogate


def array_head(length: int) -> Raw:
    """What stands before the items of an array."""
    return _SHORT_HEADS[length] if length < len(_SHORT_HEADS) else Raw(_array_head(length))


def integer(number: int) -> Raw | int | float:
    """An integer, so that it is no record's id, and no BigInt where it is read."""
    if FIRST_ID <= number <= LAST_ID:
        return Raw(bytes((0xCC, number)))
    if -(2**31) <= number < 2**32:
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _token(token: Any) -> bytes:
    match token:
        case str():
            return _string(token)
        case Raw():
            return bytes(token)
        case tuple():
            return _array_head(len(token)) + b"".join(map(_string, token))
    return _msgpack.encode(token)


def _string(text: str) -> bytes:
    data = text.encode(errors="surrogatepass")
    size = len(data)
    if size < 0x20:
        return bytes((0xA0 | size,)) + data
    if size < 0x100:
        return bytes((0xD9, size)) + data
    if size < 0x10000:
        return b"\xda" + UINT16.pack(size) + data
    return b"\xdb" + UINT32.pack(size) + data


def _array_head(length: int) -> bytes:
    if length < 0x10:
        return bytes((0x90 | length,))
    if length < 0x10000:
        return b"\xdc" + UINT16.pack(length)
    return b"\xdd" + UINT32.pack(length)


_SHORT_HEADS = tuple(Raw(_array_head(length)) for length in range(0x10))
