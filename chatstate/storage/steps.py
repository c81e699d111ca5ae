"""An operation as the statements that carry it out, alike on every engine."""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

Row = tuple[Any, ...]
_PARAMETER = re.compile(r"(?<!:):(\w+)")


class Statement:
    """One statement, with ``:name`` where a parameter stands; in the spelling of each driver.

    SQLite's parameters are numbered: its driver looks up the name of each anew for each execution.

    Args:
        text: what both databases understand.
        postgresql: what PostgreSQL needs in place of it.
        tells_change: it gives a row if it has changed anything, and no row otherwise. On SQLite
            that is the count of changed rows, as ``RETURNING`` makes a table there.
        only_from: the table that its rows are from. SQLite need not look for any key in one that
            is empty, as that of the queues nearly always is.
    """

    __slots__ = ("in_order", "only_from", "postgresql", "sqlite", "tells_change")

    def __init__(
        self,
        text: str,
        *,
        postgresql: str | None = None,
        tells_change: bool = False,
        only_from: str | None = None,
    ) -> None:
        names = list(dict.fromkeys(_PARAMETER.findall(text)))
        self.sqlite = _PARAMETER.sub(lambda found: f"?{names.index(found[1]) + 1}", text)
        self.in_order = _in_order(names)
        """Gives the parameters as SQLite's text numbers them."""
        self.postgresql = _PARAMETER.sub(r"%(\1)s", postgresql or text)
        if tells_change:
            self.postgresql += " RETURNING 1"
        self.tells_change = tells_change
        self.only_from = only_from


def _in_order(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    if len(names) < 2:  # there a getter gives no tuple
        return lambda parameters: tuple(parameters[name] for name in names)
    return itemgetter(*names)


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
