"""How long to wait before trying again."""

from collections.abc import Callable
from typing import NamedTuple

REPEAT_FOR_S = 45.0
"""How long an operation may be repeated: answers are kept for 60 s, clocks and networks apart."""


class Backoff(NamedTuple):
    """A pause that doubles with each attempt, a quarter more or less.

    Without the quarter, clients that were cut together would come back together.
    """

    first_s: float
    most_s: float

    def pause_s(self, attempt: int, random: Callable[[], float]) -> float:
        """The pause before attempt ``attempt``; 0 is the first repetition.

        Args:
            random: gives a number from 0 to 1.
        """
        doubled = min(self.most_s, self.first_s * 2.0 ** min(attempt, 30))
        return doubled * (0.75 + random() / 2)


REFUSED = Backoff(first_s=0.05, most_s=2.0)
"""Between two attempts at an operation that was refused for the moment."""

RECONNECT = Backoff(first_s=0.1, most_s=3.0)
"""Between two attempts to connect."""
