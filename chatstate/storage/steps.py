"""An operation as the statements that carry it out, alike on every engine."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Row = tuple[Any, ...]
_PARAMETER = re.compile(r"(?<!:):(\w+)")


class Statement:
    """One statement, with ``:name`` where a parameter stands; in the spelling of each driver.

    Args:
        text: what both databases understand.
        postgresql: what PostgreSQL needs in place of it.
    """

    __slots__ = ("postgresql", "sqlite")

    def __init__(self, text: str, *, postgresql: str | None = None) -> None:
        self.sqlite = text
        self.postgresql = _PARAMETER.sub(r"%(\1)s", postgresql or text)


class Plan(NamedTuple):
    """What carries out one operation.

    ``statements`` run one after the other with the same parameters; none needs what another
    returned, so that they can be sent in one go. ``answer`` makes the operation's outcome from the
    rows of each. ``max_chars``, where it is set, bounds how much text the rows' second columns may
    hold: PostgreSQL's statement sees to that itself, SQLite's rows are read one by one.
    """

    statements: Sequence[Statement]
    parameters: Mapping[str, Any]
    answer: "Callable[[Sequence[Sequence[Row]]], Outcome]"
    max_chars: int | None = None


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
