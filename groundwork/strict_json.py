"""Read JSON just as JavaScript's ``JSON.parse`` does, typed, with sub-documents kept as text.

Two steps. msgspec reads what nearly every client sends, and validates it while it reads. It refuses
a little that ``JSON.parse`` accepts: an escaped lone surrogate (``"\\ud83d"``, which JavaScript
writes for a cut emoji) and ``1.0`` where an integer is wanted. What it refuses goes to a reader on
the standard library, which decides; both give the same answer wherever both accept.
"""

import json
import re
from collections.abc import Callable
from functools import reduce
from json.decoder import scanstring  # type: ignore[attr-defined] # typeshed leaves it out
from operator import or_
from types import UnionType
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin

import msgspec

T = TypeVar("T")

_WHITESPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_MAX_INTEGER_DIGITS = 400  # the largest double has 309


class JsonError(ValueError):
    """The text is not JSON."""


class ShapeError(JsonError):
    """The text is JSON, but not of the wanted shape."""


def decode_utf8(data: bytes) -> str:
    """Decode strict UTF-8: no byte order mark, no encoded surrogates, no overlong forms.

    Raises:
        JsonError: the bytes are something else.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from None
    return text


def read(text: str | bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """Read ``text`` into the decoder's type.

    Args:
        text: the JSON; bytes are taken for UTF-8 that was checked before.
        decoder: of a Struct whose fields are str, int, bool, Raw, Structs, lists or unions of
            these. A Raw field keeps its JSON as it was written.

    Raises:
        ShapeError: it is JSON of another shape.
        JsonError: it is not JSON.
    """
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        source = text if isinstance(text, str) else bytes(text).decode()
        loads(source)
        value: T = _read_typed(source, decoder.type, "$")
        return value


def loads(text: str) -> Any:
    """Parse JSON into Python values; numbers too large for a double become infinite, as in JS.

    Raises:
        JsonError: it is not JSON, or it is nested too deeply to be read.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_parse_int)
    except RecursionError:
        raise JsonError("nested too deeply") from None
    except ValueError as error:
        raise JsonError(str(error)) from None


def is_deeper_than(text: str, limit: int) -> bool:
    """Tell whether arrays and objects are nested more than ``limit`` deep in the JSON ``text``."""
    # every level has its opening bracket: two fast counts settle nearly every text
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > limit:
            return True
    return False


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else float(digits)


_decoder = json.JSONDecoder(parse_int=_parse_int)


def _read_typed(text: str, wanted: Any, path: str) -> Any:
    if wanted is msgspec.Raw:
        return msgspec.Raw(text.encode())
    if get_origin(wanted) in (Union, UnionType):
        return _read_union(text, wanted, path)
    if get_origin(wanted) is list:
        (item,) = get_args(wanted)
        return [_read_typed(t, item, f"{path}[{i}]") for i, t in enumerate(_items(text, path))]
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return _read_struct(text, wanted, path)
    return _read_scalar(text, wanted, path)


def _read_union(text: str, wanted: Any, path: str) -> Any:
    members = [member for member in get_args(wanted) if member is not msgspec.UnsetType]
    if len(members) == 1:
        return _read_typed(text, members[0], path)
    return _read_scalar(text, reduce(or_, members), path)


def _read_struct(text: str, wanted: type[msgspec.Struct], path: str) -> msgspec.Struct:
    members = _members(text, path)
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(wanted):
        if field.encode_name in members:
            place = f"{path}.{field.encode_name}"
            values[field.name] = _read_typed(members[field.encode_name], field.type, place)
        elif field.required:
            raise ShapeError(f"missing field {field.encode_name!r} at {path}")
    return wanted(**values)


def _read_scalar(text: str, wanted: Any, path: str) -> Any:
    value = loads(text)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise ShapeError(f"{error} at {path}") from None
    except UnicodeEncodeError:  # msgspec looks at a lone surrogate where it wants no string
        raise ShapeError(f"unexpected string at {path}") from None


def _members(text: str, path: str) -> dict[str, str]:
    """Split a JSON object that is known to be valid into the texts of its values; last one wins."""
    start = _skip(text, 0)
    if text[start] != "{":
        raise ShapeError(f"expected an object at {path}")
    members: dict[str, str] = {}

    def read_member(index: int) -> int:
        key, index = scanstring(text, index + 1, True)
        value = _skip(text, _skip(text, index) + 1)
        _, end = _decoder.raw_decode(text, value)
        members[key] = text[value:end]
        return end

    _walk(text, start, "}", read_member)
    return members


def _items(text: str, path: str) -> list[str]:
    """Split a JSON array that is known to be valid into the texts of its items."""
    start = _skip(text, 0)
    if text[start] != "[":
        raise ShapeError(f"expected an array at {path}")
    items: list[str] = []

    def read_item(index: int) -> int:
        _, end = _decoder.raw_decode(text, index)
        items.append(text[index:end])
        return end

    _walk(text, start, "]", read_item)
    return items


def _walk(text: str, start: int, closing: str, read_one: Callable[[int], int]) -> None:
    index = _skip(text, start + 1)
    while text[index] != closing:
        index = _skip(text, read_one(index))
        if text[index] == ",":
            index = _skip(text, index + 1)


def _skip(text: str, index: int) -> int:
    match = _WHITESPACE.match(text, index)
    return match.end() if match else index
