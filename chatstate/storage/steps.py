"""An operation as the statements that carry it out, alike on every engine."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Row = tuple[Any, ...]
_PARAMETER = re.compile(r"(?<!:):(\w+)")


class Statement:
    """One statement, with ``:name`` where a parameter stands; in the spelling of each driver."""

    __slots__ = ("postgresql", "sqlite")

    def __init__(self, text: str) -> None:
        self.sqlite = text
        self.postgresql = _PARAMETER.sub(r"%(\1)s", text)


class Plan(NamedTuple):
    """What carries out one operation.

    ``statements`` run one after the other with the same parameters; none needs what another
    returned, so that they can be sent in one go. ``answer`` makes the operation's outcome from the
    rows of each.
    """

    statements: Sequence[Statement]
    parameters: Mapping[str, Any]
    answer: "Callable[[Sequence[Sequence[Row]]], Outcome]"


class Piece(NamedTuple):
    """A piece of a list.

    Args:
        items: JSON texts, oldest first.
        last_number: number of the last of them.
        end_number: number of the last item that the list had when its first piece was read; what
            lies between is still to be read. None: nothing is.
    """

    items: Sequence[str]
    last_number: int = 0
    end_number: int | None = None


Outcome = str | Piece
"""The JSON of an answer, or a piece of a list."""
