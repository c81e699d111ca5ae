"""What a row of the tables is."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest

from tests.bad_inputs.answers import Answer


class Row(NamedTuple):
    """A message that writes nothing, sent to a store with the events 1 and 2, and the answer.

    ``id`` is the row of the catalogue of bad inputs that it belongs to.
    """

    id: str
    what: str
    message: str | bytes
    ws: Answer
    http: Answer | None = None
    """None: the same."""

    request_id: Any = "7"

    def answer(self, transport: str) -> Answer:
        """What is expected over ``transport``."""
        return self.ws if transport == "ws" or self.http is None else self.http


def as_parameters(rows: Iterable[Any]) -> list[Any]:
    """Rows as pytest's parameters, named by what is in them."""
    return [pytest.param(row, id=f"{row.id}: {row.what}") for row in rows]
