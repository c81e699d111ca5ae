"""Write JSON values as msgpack and records; see the package."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
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
    writer = _Writer()
    put, known = writer.tokens.append, writer.ids.get
    waiting: list[Iterator[Any]] = []
    items: Iterator[Any] = iter((value,))
    while True:
        for item in items:
            kind = type(item)
            if kind is str or (kind is int and (0 <= item < 64 or 128 <= item < 2**32)):
                put(item)
            elif kind is dict:
                record_id = known(tuple(item))
                put(record_id) if record_id is not None else writer.define(tuple(item))
                waiting.append(items)
                items = iter(item.values())
                break
            elif kind is list:
                writer.put_array_head(len(item))
                waiting.append(items)
                items = iter(item)
                break
            elif kind is int:
                writer.put_integer(item)
            else:
                put(item)
        else:
            if not waiting:
                return writer.finish()
            items = waiting.pop()


class _Writer:
    """Collects what msgspec encodes in one call: a record is nothing but a run of tokens.

    Its id is the byte of a small integer, its definition an extension and an array of strings.
    What is left to write by hand are the heads of arrays, and the integers that look like ids.
    """

    __slots__ = ("_keys", "_next", "_parts", "ids", "tokens")

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.ids: dict[tuple[str, ...], int] = {}
        self._parts: list[bytes] = []
        self._keys: dict[int, tuple[str, ...]] = {}
        self._next = FIRST_ID

    def define(self, keys: tuple[str, ...]) -> None:
        """Write the head of a record whose keys are new to the message."""
        record_id = self._next
        self._next = FIRST_ID if record_id == LAST_ID else record_id + 1
        if record_id in self._keys:
            del self.ids[self._keys[record_id]]  # all ids are given: the oldest goes
        self.ids[keys] = record_id
        self._keys[record_id] = keys
        self.tokens += Ext(DEFINITION, bytes((record_id,))), keys

    def put_array_head(self, length: int) -> None:
        """Write what stands before the items of an array."""
        self._put_bytes(_array_head(length))

    def put_integer(self, number: int) -> None:
        """Write an integer so that it is no record's id, and no BigInt where it is read."""
        if FIRST_ID <= number <= LAST_ID:
            self._put_bytes(bytes((0xCC, number)))
        elif -(2**31) <= number < 2**32:
            self.tokens.append(number)
        else:
            self.tokens.append(_as_float(number))

    def finish(self) -> bytes:
        """All that was written."""
        self._flush()
        return b"".join(self._parts)

    def _put_bytes(self, data: bytes) -> None:
        self._flush()
        self._parts.append(data)

    def _flush(self) -> None:
        if self.tokens:
            self._parts.append(_run_of(self.tokens))
            self.tokens.clear()


def _run_of(tokens: list[Any]) -> bytes:
    try:
        return _msgpack.encode(tokens)[len(_array_head(len(tokens))) :]
    except UnicodeEncodeError:
        return b"".join(map(_token, tokens))  # one of them has a lone surrogate


def _token(token: Any) -> bytes:
    match token:
        case str():
            return _string(token)
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


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
