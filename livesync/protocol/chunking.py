"""Cut a run of encoded events into pages, by count and by bytes."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

ENVELOPE_BYTES = 256
"""Room for what a page holds besides its events: page info, backend id, envelope."""


class Cut(NamedTuple):
    """One page: the events ``[start:stop]`` of the run, and the UTF-8 bytes they take."""

    start: int
    stop: int
    size: int


def utf8_size(text: str) -> int:
    """Bytes of ``text`` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def cut(texts: Sequence[str], *, max_events: int, max_bytes: int) -> Iterator[Cut]:
    """Cut encoded events into pages of at most ``max_events`` events and ``max_bytes`` bytes.

    An event that is larger than ``max_bytes`` by itself goes alone: it was accepted once, so every
    client has to get it. An empty run gives no page.
    """
    ends = list(accumulate([utf8_size(text) + 1 for text in texts], initial=0))
    start = 0
    while start < len(texts):
        fitting = bisect_right(ends, ends[start] + max_bytes - ENVELOPE_BYTES) - 1
        stop = min(max(fitting, start + 1), start + max_events, len(texts))
        yield Cut(start, stop, ENVELOPE_BYTES + ends[stop] - ends[start])
        start = stop
