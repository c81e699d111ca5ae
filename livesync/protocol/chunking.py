"""Cut a run of encoded events into pages, by count and by bytes."""

from collections.abc import Iterator, Sequence
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
    start, size = 0, ENVELOPE_BYTES
    for index, text in enumerate(texts):
        added = utf8_size(text) + 1
        full = index - start >= max_events or size + added > max_bytes
        if full and index > start:
            yield Cut(start, index, size)
            start, size = index, ENVELOPE_BYTES
        size += added
    if start < len(texts):
        yield Cut(start, len(texts), size)
