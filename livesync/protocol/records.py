"""msgpack with msgpackr's records, the form of RPC messages, and the JSON that they stand for.

A record is an object whose keys are written once: ``d4 72 <id>``, an array of the keys, then the
values in that order. Later objects of the same keys are just the byte ``<id>`` (0x40 to 0x7f) and
their values. So a writer that knows records writes the integers 64 to 127 in two bytes; a plain
msgpack writer writes one, and such a byte is that integer as long as no record has it for its id.

Both directions go by way of JSON text, which is what events are kept as and what the other
transports speak. JavaScript's values become what ``JSON.stringify`` makes of them:

===================================  ===============================================================
msgpack                              JSON
===================================  ===============================================================
a record, or a map with string keys  an object
``undefined``                        a member that is absent; elsewhere null
NaN, infinite                        null
an integer beyond 2^53 - 1           refused: it is a BigInt in JavaScript
a float without a fraction           an integer, up to 2^53 - 1
a lone surrogate in a string         its escape, as in ``"\\ud83d"``
binary data, dates, other types      refused
===================================  ===============================================================

Source: npm ``msgpackr`` 1.12, ``pack.js`` and ``unpack.js``, as ``@effect/rpc`` 0.75.1 uses it.
"""

import math
from collections.abc import Iterator
from itertools import repeat
from json.encoder import encode_basestring, encode_basestring_ascii
from struct import Struct
from struct import error as StructError  # noqa: N812 (an exception, whatever its name)
from typing import Any, NamedTuple

import msgspec
from msgspec.msgpack import Ext

from groundwork import strict_json

MAX_SAFE_INTEGER = 2**53 - 1

_DEFINITION = 0x72
_FIRST_ID = 0x40
_LAST_ID = 0x7F

_json = msgspec.json.Decoder()
_msgpack = msgspec.msgpack.Encoder()

_UINT8, _UINT16, _UINT32 = Struct(">B"), Struct(">H"), Struct(">I")

_INTEGERS = {
    0xCC: _UINT8,
    0xCD: _UINT16,
    0xCE: _UINT32,
    0xCF: Struct(">Q"),
    0xD0: Struct(">b"),
    0xD1: Struct(">h"),
    0xD2: Struct(">i"),
    0xD3: Struct(">q"),
}
_FLOATS = {0xCA: Struct(">f"), 0xCB: Struct(">d")}
_STRING_LENGTHS = {0xD9: _UINT8, 0xDA: _UINT16, 0xDB: _UINT32}
_ARRAY_LENGTHS = {0xDC: _UINT16, 0xDD: _UINT32}
_MAP_LENGTHS = {0xDE: _UINT16, 0xDF: _UINT32}
_CONSTANTS = {0xC0: "null", 0xC2: "false", 0xC3: "true"}
_BINARY = range(0xC4, 0xC7)
_FIXEXT1 = 0xD4
_CUT = "the message ends in the middle of a value"
_TOO_LARGE = "the message is too large as JSON"


class RecordsError(ValueError):
    """The bytes are no message of this form, or it is too large or too deep."""


def to_json(data: bytes, *, max_chars: int, max_depth: int) -> str:
    """The JSON text of one encoded value.

    Args:
        data: all of it, and nothing behind it.
        max_chars: most characters of the text. Keys are written once in ``data`` and again and
            again in the text, so a small message could fill the memory.
        max_depth: deepest nesting of arrays and objects.

    Raises:
        RecordsError: it is something else, or breaks a limit.
    """
    reader = _Reader(data, max_chars, max_depth)
    try:
        return reader.read()
    except (IndexError, StructError):
        raise RecordsError(_CUT) from None


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


class _Record(NamedTuple):
    """The keys of a record as they stand in the text: ``,"key":`` each; the least text of one."""

    prefixes: tuple[str, ...]
    chars: int


_Container = tuple[Iterator[str | None], str, int]
"""An open array or object: what comes before each item that is left, None where its key is to be
read; how it closes; where the text of its first item stands."""


class _Reader:
    """Writes the text of a message while it reads. Depth takes no depth of calls."""

    __slots__ = ("_at", "_data", "_max_chars", "_max_depth", "_open", "_records", "_room", "_texts")

    def __init__(self, data: bytes, max_chars: int, max_depth: int) -> None:
        self._data = data
        self._at = 0
        self._max_chars = max_chars
        self._max_depth = max_depth
        self._records: dict[int, _Record] = {}
        self._room = max_chars
        self._texts: list[str] = []
        self._open: list[_Container] = []

    def read(self) -> str:
        self._value()
        if self._open:
            self._items()
        if self._at != len(self._data):
            raise RecordsError(f"more behind the message, at byte {self._at}")
        text = "".join(self._texts)
        if len(text) > self._max_chars:
            raise RecordsError(_TOO_LARGE)
        return text

    def _items(self) -> None:
        # one function for what nearly every message consists of: strings, integers, and records
        # whose keys are known. A call for each would take twice the time
        data, put, still_open = self._data, self._texts.append, self._open
        known, at = self._records, self._at
        prefixes = still_open[-1][0]
        while True:
            for prefix in prefixes:
                if prefix is None:
                    self._at = at
                    prefix, at = f",{self._key()}:", self._at
                put(prefix)
                token = data[at]
                if 0xA0 <= token <= 0xBF:
                    start, at = at + 1, at + token - 0x9F
                    put(_quote(data[start:at]))
                elif token == 0xD9:
                    start, at = at + 2, at + 2 + data[at + 1]
                    put(_quote(data[start:at]))
                elif 0xCC <= token <= 0xCE:
                    start, at = at + 1, at + 1 + (1 << token - 0xCC)
                    put(str(int.from_bytes(data[start:at])))
                elif token in known:
                    prefixes, at = self._open_record(known[token]), at + 1
                    break
                else:
                    self._at, depth = at, len(still_open)
                    self._value()
                    at = self._at
                    if len(still_open) > depth:
                        prefixes = still_open[-1][0]
                        break
            else:
                self._close()
                if not still_open:
                    break
                prefixes = still_open[-1][0]
        if at > len(data):
            raise RecordsError(_CUT)
        self._at = at

    def _value(self) -> None:
        token = self._data[self._at]
        self._at += 1
        if token in self._records:
            self._open_record(self._records[token])
        elif token <= 0x7F:
            self._texts.append(str(token))
        elif token >= 0xE0:
            self._texts.append(str(token - 0x100))
        elif token <= 0x8F:
            self._open_map(token - 0x80)
        elif token <= 0x9F:
            self._open_array(token - 0x90)
        elif token <= 0xBF:
            self._texts.append(self._quoted(token - 0xA0))
        else:
            self._rarer(token)

    def _rarer(self, token: int) -> None:
        if token in _INTEGERS:
            self._texts.append(_integer(self._number(_INTEGERS[token])))
        elif token in _STRING_LENGTHS:
            self._texts.append(self._quoted(self._number(_STRING_LENGTHS[token])))
        elif token in _CONSTANTS:
            self._texts.append(_CONSTANTS[token])
        elif token in _FLOATS:
            self._texts.append(_float(self._number(_FLOATS[token])))
        elif token in _ARRAY_LENGTHS:
            self._open_array(self._number(_ARRAY_LENGTHS[token]))
        elif token in _MAP_LENGTHS:
            self._open_map(self._number(_MAP_LENGTHS[token]))
        elif token == _FIXEXT1:
            self._extension()
        elif token in _BINARY:
            raise RecordsError(f"binary data at byte {self._at - 1}")
        else:
            raise RecordsError(f"a type that is not read, {token:#x}, at byte {self._at - 1}")

    def _extension(self) -> None:
        kind, detail = self._data[self._at], self._data[self._at + 1]
        self._at += 2
        if kind == _DEFINITION and _FIRST_ID <= detail <= _LAST_ID:
            self._records[detail] = record = self._definition()
            self._open_record(record)
        elif kind == 0:
            self._undefined()
        else:
            raise RecordsError(f"an extension that is not read, {kind:#x}, at byte {self._at - 2}")

    def _definition(self) -> _Record:
        token = self._data[self._at]
        self._at += 1
        if 0x90 <= token <= 0x9F:
            length = token - 0x90
        elif token in _ARRAY_LENGTHS:
            length = self._number(_ARRAY_LENGTHS[token])
        else:
            raise RecordsError(f"a record without its keys, at byte {self._at - 1}")
        self._check_items(length)
        prefixes = tuple(f",{self._key()}:" for _ in range(length))
        return _Record(prefixes, sum(map(len, prefixes)) + length)

    def _key(self) -> str:
        token = self._data[self._at]
        self._at += 1
        if 0xA0 <= token <= 0xBF:
            return self._quoted(token - 0xA0)
        if token in _STRING_LENGTHS:
            return self._quoted(self._number(_STRING_LENGTHS[token]))
        raise RecordsError(f"a key that is no string, at byte {self._at - 1}")

    def _undefined(self) -> None:
        if self._open and self._open[-1][1] == "}":
            self._room += len(self._texts.pop()) + 1  # its key, and its value
        else:
            self._texts.append("null")

    def _open_record(self, record: _Record) -> Iterator[str | None]:
        return self._start("{", iter(record.prefixes), "}", record.chars)

    def _open_map(self, length: int) -> None:
        self._check_items(2 * length)
        self._start("{", repeat(None, length), "}", 5 * length)

    def _open_array(self, length: int) -> None:
        self._check_items(length)
        self._start("[", repeat(",", length), "]", 2 * length)

    def _start(
        self, opening: str, prefixes: Iterator[str | None], closing: str, chars: int
    ) -> Iterator[str | None]:
        # at least so much text: what takes little data and much time is refused before it is made
        self._room -= chars or 1
        if self._room < 0:
            raise RecordsError(_TOO_LARGE)
        if len(self._open) >= self._max_depth:
            raise RecordsError(f"nested more than {self._max_depth} deep")
        texts = self._texts
        texts.append(opening)
        self._open.append((prefixes, closing, len(texts)))
        return prefixes

    def _close(self) -> None:
        _, closing, start = self._open.pop()
        texts = self._texts
        texts.append(closing)
        if texts[start][0] == ",":  # before the first item there is none
            texts[start] = texts[start][1:]

    def _check_items(self, length: int) -> None:
        # each takes a byte at least: a length beyond the end is found before anything is made
        if length > len(self._data) - self._at:
            raise RecordsError(_CUT)

    def _quoted(self, length: int) -> str:
        start = self._at
        self._at = end = start + length
        if end > len(self._data):
            raise RecordsError(_CUT)
        return _quote(self._data[start:end])

    def _number(self, form: Struct) -> Any:
        (number,) = form.unpack_from(self._data, self._at)
        self._at += form.size
        return number


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
        self._next = _FIRST_ID

    def define(self, keys: tuple[str, ...]) -> None:
        """Write the head of a record whose keys are new to the message."""
        record_id = self._next
        self._next = _FIRST_ID if record_id == _LAST_ID else record_id + 1
        if record_id in self._keys:
            del self.ids[self._keys[record_id]]  # all ids are given: the oldest goes
        self.ids[keys] = record_id
        self._keys[record_id] = keys
        self.tokens += Ext(_DEFINITION, bytes((record_id,))), keys

    def put_array_head(self, length: int) -> None:
        """Write what stands before the items of an array."""
        self._put_bytes(_array_head(length))

    def put_integer(self, number: int) -> None:
        """Write an integer so that it is no record's id, and no BigInt where it is read."""
        if _FIRST_ID <= number <= _LAST_ID:
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


def _integer(number: int) -> str:
    if abs(number) > MAX_SAFE_INTEGER:
        raise RecordsError(f"the integer {number} is above 2^53 - 1")
    return str(number)


def _float(number: float) -> str:
    if not math.isfinite(number):
        return "null"
    if number.is_integer() and abs(number) <= MAX_SAFE_INTEGER:
        return str(int(number))
    return repr(number)


def _quote(data: bytes) -> str:
    try:
        return encode_basestring(data.decode())
    except UnicodeDecodeError:
        return _quote_surrogates(data)


def _quote_surrogates(data: bytes) -> str:
    try:
        return encode_basestring_ascii(data.decode(errors="surrogatepass"))
    except UnicodeDecodeError:
        raise RecordsError("a string that is not UTF-8") from None


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
        return b"\xda" + _UINT16.pack(size) + data
    return b"\xdb" + _UINT32.pack(size) + data


def _array_head(length: int) -> bytes:
    if length < 0x10:
        return bytes((0x90 | length,))
    if length < 0x10000:
        return b"\xdc" + _UINT16.pack(length)
    return b"\xdd" + _UINT32.pack(length)


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
