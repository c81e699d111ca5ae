"""Lay out JSON for people without changing any of its tokens.

Numbers that no double holds, keys given twice and lone surrogates stay as they were written, which
a parser and a serializer in a row would not let them. What is not JSON is laid out as far as it
resembles it: nothing is refused here.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL)
_INDENT = "  "
_MAX_INDENTS = 24  # a line deeper than this would be mostly blank, a thousand levels of it huge


class Pretty(NamedTuple):
    """JSON with line breaks; ``is_whole`` is False when it was cut."""

    text: str
    is_whole: bool


def pretty(text: str, *, max_chars: int) -> Pretty:
    """Lay out the JSON ``text``, and stop after ``max_chars`` characters."""
    pieces: list[str] = []
    left = max_chars
    for piece in _pieces(text):
        if len(piece) > left:
            pieces.append(piece[:left])
            return Pretty("".join(pieces), is_whole=False)
        pieces.append(piece)
        left -= len(piece)
    return Pretty("".join(pieces), is_whole=True)


def _pieces(text: str) -> Iterator[str]:
    depth = 0
    previous = ""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in ("}", "]"):
            depth = max(depth - 1, 0)
            if previous not in ("{", "["):
                yield _new_line(depth)
        elif previous in ("{", "[", ","):
            yield _new_line(depth)
        yield ": " if token == ":" else token
        if token in ("{", "["):
            depth += 1
        previous = token


def _new_line(depth: int) -> str:
    return "\n" + _INDENT * min(depth, _MAX_INDENTS)
