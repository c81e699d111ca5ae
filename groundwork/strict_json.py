"""Read JSON just as JavaScript's ``JSON.parse`` does, typed, with sub-documents kept as text.

Two steps. msgspec reads what nearly every client sends, and validates it while it reads. It refuses
a little that ``JSON.parse`` accepts: an escaped lone surrogate (``"\\ud83d"``, which JavaScript
writes for a cut emoji) and ``1.0`` where an integer is wanted. What it refuses goes to a reader on
the standard library, which decides; both give the same answer wherever both accept.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache, reduce
from json.decoder import scanstring  # type: ignore[attr-defined] # typeshed leaves it out
from operator import or_
from types import UnionType
from typing import Any, NamedTuple, NoReturn, TypeVar, Union, get_args, get_origin

import msgspec

T = TypeVar("T")

_WHITESPACE = " \t\n\r"
_SPACES = re.compile(rf"[{_WHITESPACE}]*")
# one that never ends reaches to the end of the text, and nothing is tried twice: otherwise each
# quote in it would be looked at as the start of one more, and a frame take hours
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_STRING_OR_BRACKET = re.compile(rf"{_STRING.pattern}|{_BRACKET.pattern}", re.DOTALL)
_SCALARS = (str, int, bool)
# reading one takes fifty times as long; no client writes that many, but one who would stop us
_MAX_ODD_ITEMS = 200
_MAX_ODD_MEMBERS = 200
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
    try:
        value: T = _read_typed(_Node(source, loads(source)), decoder.type, "$")
    except RecursionError:
        # how deep is too deep depends on how deep the caller stands
        raise JsonError("nested too deeply") from None
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


def without_deep_parts(text: str, limit: int) -> str:
    """``text`` with a 0 for each array or object that is nested more than ``limit`` deep.

    What is nested deeper than a reader can go becomes something that it can read. Where ``text``
    is not JSON, what is returned need not be either.
    """
    if text.count("[") + text.count("{") <= limit:
        return text
    kept: list[str] = []
    depth = end = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth == limit + 1:
                kept += text[end : token.start()], "0"
        elif token[0] in ("]", "}"):
            if depth == limit + 1:
                end = token.end()
            depth -= 1
    return "".join(kept) + text[end:] if kept else text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else float(digits)


# typeshed leaves it out: reads the value that starts at an index, and tells where it ends
_scan_once: Callable[[str, int], tuple[Any, int]]
_scan_once = json.JSONDecoder(parse_int=_parse_int).scan_once  # type: ignore[attr-defined]


class _Node(NamedTuple):
    """A piece of JSON that is known to be valid: its text, and its value."""

    text: str
    value: Any


def _read_typed(node: _Node, wanted: Any, path: str) -> Any:
    if wanted is msgspec.Raw:
        return msgspec.Raw(node.text.encode())
    if wanted in _SCALARS:
        return _read_scalar(node.value, wanted, path)
    if get_origin(wanted) in (Union, UnionType):
        return _read_union(node, wanted, path)
    if get_origin(wanted) is list:
        return _read_list(node, get_args(wanted)[0], path)
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return _read_struct(node, wanted, path)
    return _read_scalar(node.value, wanted, path)


def _read_union(node: _Node, wanted: Any, path: str) -> Any:
    members = [member for member in get_args(wanted) if member is not msgspec.UnsetType]
    if len(members) == 1:
        return _read_typed(node, members[0], path)
    return _read_scalar(node.value, reduce(or_, members), path)


def _read_list(node: _Node, wanted: Any, path: str) -> list[Any]:
    if not isinstance(node.value, list):
        raise ShapeError(f"expected an array at {path}")
    text, decoder = node.text, _decoder_of(wanted)
    items: list[Any] = []
    odd_items = 0

    def read_item(start: int) -> int:
        nonlocal odd_items
        value, end = _scan_once(text, start)
        try:
            items.append(decoder.decode(text[start:end]))
        except (msgspec.DecodeError, RecursionError):
            odd_items += 1
            if odd_items > _MAX_ODD_ITEMS:
                raise ShapeError(f"more than {_MAX_ODD_ITEMS} unusual items at {path}") from None
            item = _Node(text[start:end], value)
            items.append(_read_typed(item, wanted, f"{path}[{len(items)}]"))
        return end

    _walk(text, "]", read_item)
    return items


def _read_struct(node: _Node, wanted: type[msgspec.Struct], path: str) -> msgspec.Struct:
    members = _members(node, path)
    values: dict[str, Any] = {}
    for field in _fields_of(wanted):
        member = members.get(field.encode_name)
        if member is not None:
            values[field.name] = _read_typed(member, field.type, f"{path}.{field.encode_name}")
        elif field.required:
            raise ShapeError(f"missing field {field.encode_name!r} at {path}")
    return wanted(**values)


def _read_scalar(value: Any, wanted: Any, path: str) -> Any:
    if type(value) is wanted:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise ShapeError(f"{error} at {path}") from None
    except UnicodeEncodeError:  # msgspec looks at a lone surrogate where it wants no string
        raise ShapeError(f"unexpected string at {path}") from None


@lru_cache(maxsize=64)
def _decoder_of(wanted: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wanted)


@lru_cache(maxsize=64)
def _fields_of(wanted: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(wanted)


def _members(node: _Node, path: str) -> dict[str, _Node]:
    """Split a JSON object into its members; of those with one name the last wins."""
    if not isinstance(node.value, dict):
        raise ShapeError(f"expected an object at {path}")
    text = node.text
    members: dict[str, _Node] = {}

    def read_member(index: int) -> int:
        key, index = scanstring(text, index + 1, True)
        start = _skip(text, _skip(text, index) + 1)
        value, end = _scan_once(text, start)
        members[key] = _Node(text[start:end], value)
        if len(members) > _MAX_ODD_MEMBERS:
            raise ShapeError(f"more than {_MAX_ODD_MEMBERS} members at {path}")
        return end

    _walk(text, "}", read_member)
    return members


def _walk(text: str, closing: str, read_one: Callable[[int], int]) -> None:
    index = _skip(text, _skip(text, 0) + 1)
    while text[index] != closing:
        index = _skip(text, read_one(index))
        if text[index] == ",":
            index = _skip(text, index + 1)


def _skip(text: str, index: int) -> int:
    """Where the next character stands that is no white space."""
    if text[index] not in _WHITESPACE:  # nearly always: JavaScript writes none
        return index
    match = _SPACES.match(text, index)
    return match.end() if match else index
