"""Read what is stored of a store as it lies there, in bounded memory, also before it is served."""

from collections.abc import Iterator, Sequence

from livesync.storage import get_engine
from livesync.storage.engine import Heading, LoggedEvent, StoreDetails

_SLICE_EVENTS = 1_000
_PIECE_BYTES = 4_000_000
_WHOLE_ARGS = 2**31 - 1


def pieces(store: StoreDetails) -> Iterator[Sequence[LoggedEvent]]:
    """The events up to the head and, if there are any, some beyond, in pieces of bounded size."""
    start = 0
    while True:
        headings = get_engine().headings(
            store, start=start, newest_first=False, max_events=_SLICE_EVENTS
        )
        for seq_nums in _cut_by_bytes(headings):
            yield get_engine().events(store, seq_nums, max_args_chars=_WHOLE_ARGS)
        if len(headings) < _SLICE_EVENTS or headings[-1].seq_num > store.head:
            return
        start = headings[-1].seq_num + 1


def _cut_by_bytes(headings: Sequence[Heading]) -> Iterator[list[int]]:
    piece: list[int] = []
    size = 0
    for heading in headings:
        if piece and size + heading.args_bytes > _PIECE_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(heading.seq_num)
        size += heading.args_bytes
    if piece:
        yield piece
