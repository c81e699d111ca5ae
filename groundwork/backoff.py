"""How long to wait before trying again."""

from collections.abc import Callable
from typing import NamedTuple


class Backoff(NamedTuple):
    """A pause that doubles with each attempt, a quarter more or less.

    Without the quarter, clients that were cut together would come back together.
    """

    first_s: float
    most_s: float

    def pause_s(self, attempt: int, random: Callable[[], float]) -> float:
        """The pause before attempt ``attempt``; 0 is the first repetition.

        Args:
            attempt: from 0.
            random: gives a number from 0 to 1.
        """
        doubled = min(self.most_s, self.first_s * 2.0 ** min(attempt, 30))
        return doubled * (0.75 + random() / 2)
