"""Read a message of msgpack and records as JSON text; see the package."""

import math
from collections.abc import Iterator
from itertools import repeat
from json.encoder import encode_basestring, encode_basestring_ascii
from struct import Struct
from struct import error as StructError  # noqa: N812 (an exception, whatever its name)
from typing import Any, NamedTuple

from livesync.protocol.records.form import (
    DEFINITION,
    FIRST_ID,
    FIXEXT1,
    LAST_ID,
    UINT8,
    UINT16,
    UINT32,
)

MAX_SAFE_INTEGER = 2**53 - 1
# both far above what a writer comes to that names records again; a definition takes four bytes and
# three microseconds
MAX_DEFINITIONS = 10_000
MAX_DEFINED_KEYS = 100_000

_INTEGERS = {
    0xCC: UINT8,
    0xCD: UINT16,
    0xCE: UINT32,
    0xCF: Struct(">Q"),
    0xD0: Struct(">b"),
    0xD1: Struct(">h"),
    0xD2: Struct(">i"),
    0xD3: Struct(">q"),
}
_FLOATS = {0xCA: Struct(">f"), 0xCB: Struct(">d")}
_STRING_LENGTHS = {0xD9: UINT8, 0xDA: UINT16, 0xDB: UINT32}
_ARRAY_LENGTHS = {0xDC: UINT16, 0xDD: UINT32}
_MAP_LENGTHS = {0xDE: UINT16, 0xDF: UINT32}
_CONSTANTS = {0xC0: "null", 0xC2: "false", 0xC3: "true"}
_BINARY = range(0xC4, 0xC7)
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
    return Reader(data, max_chars, max_depth).read()


class _Record(NamedTuple):
    """The keys of a record as they stand in the text: ``,"key":`` each; the least text of one."""

    prefixes: tuple[str, ...]
    chars: int


_Container = tuple[Iterator[str | None], str, int]
"""An open array or object: what comes before each item that is left, None where its key is to be
read; how it closes; where the text of its first item stands."""


class Reader:
    """Writes the text of a message while it reads. Depth takes no depth of calls.

    Args are those of ``to_json``.
    """

    __slots__ = (
        "_at",
        "_data",
        "_defined_keys",
        "_definitions",
        "_max_chars",
        "_max_depth",
        "_open",
        "_records",
        "_room",
        "_texts",
    )

    def __init__(self, data: bytes, max_chars: int, max_depth: int) -> None:
        self._data = data
        self._at = 0
        self._max_chars = max_chars
        self._max_depth = max_depth
        self._records: dict[int, _Record] = {}
        self._definitions = 0
        self._defined_keys = 0
        self._room = max_chars
        self._texts: list[str] = []
        self._open: list[_Container] = []

    def read(self) -> str:
        """The text of all of the message.

        Raises:
            RecordsError: it is something else, or breaks a limit.
        """
        try:
            return self._read()
        except (IndexError, StructError):
            raise RecordsError(_CUT) from None

    def _read(self) -> str:
        self._value()
        if self._open:
            self._items()
        if self._at != len(self._data):
            raise RecordsError(f"more behind the message, at byte {self._at}")
        text = "".join(self._texts)
        if len(text) > self._max_chars:
            raise RecordsError(_TOO_LARGE)
        return text

    def _items(self, until_depth: int = 0) -> None:
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
                if len(still_open) == until_depth:
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
        elif token == FIXEXT1:
            self._extension()
        elif token in _BINARY:
            raise RecordsError(f"binary data at byte {self._at - 1}")
        else:
            raise RecordsError(f"a type that is not read, {token:#x}, at byte {self._at - 1}")

    def _extension(self) -> None:
        if self._data[self._at] == 0:
            self._at += 2
            self._undefined()
        else:
            self._open_record(self._records[self._define()])

    def _define(self) -> int:
        """Take in the definition of a record; gives its id."""
        kind, record_id = self._data[self._at], self._data[self._at + 1]
        self._at += 2
        if kind != DEFINITION or not FIRST_ID <= record_id <= LAST_ID:
            raise RecordsError(f"an extension that is not read, {kind:#x}, at byte {self._at - 2}")
        self._records[record_id] = self._definition()
        return record_id

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
        self._definitions += 1
        self._defined_keys += length
        if self._definitions > MAX_DEFINITIONS or self._defined_keys > MAX_DEFINED_KEYS:
            raise RecordsError(
                f"more than {MAX_DEFINITIONS} definitions of records, or {MAX_DEFINED_KEYS} keys"
            )
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
