"""Read on in the file of a store, from a number."""

from typing import Any

from livesync.protocol.chunking import utf8_size
from livesync.protocol.pages import encode_item
from livesync.storage.engine import Slice
from livesync.storage.files.store_file import FileState, StoreFile

_SELECT_AFTER = """
    SELECT seqNum, parentSeqNum, name, args, clientId, sessionId, createdAt
    FROM "{table}" WHERE seqNum > ? ORDER BY seqNum LIMIT ?
"""
_SELECT_MISSING = """
    SELECT missing FROM livesync_gap WHERE generation = ? AND seq_num <= ?
    ORDER BY seq_num DESC LIMIT 1
"""


def read(
    file: StoreFile, after: int, *, max_events: int, max_bytes: int, even_if_frozen: bool = False
) -> Slice:
    """A contiguous piece of the history, in one snapshot.

    Raises:
        StoreFrozenError: the store is frozen.
    """
    with file.snapshot():
        known = file.known(even_if_frozen=even_if_frozen)
        return _read(file, known, after, max_events, max_bytes)


def rows_after(
    file: StoreFile, generation: int, after: int, max_events: int
) -> list[tuple[Any, ...]] | None:
    """The events numbered above ``after``: number, parent, name, args, client, session, time.

    None if ``generation`` is not the store's any more.
    """
    with file.snapshot():
        if file.known(even_if_frozen=True).generation != generation:
            return None
        statement = _SELECT_AFTER.format(table=file.table)
        return file.driver.execute(statement, (after, max_events)).fetchall()


def _read(file: StoreFile, known: FileState, after: int, max_events: int, max_bytes: int) -> Slice:
    seq_nums: list[int] = []
    events: list[str] = []
    size = 0
    cursor = file.driver.execute(_SELECT_AFTER.format(table=file.table), (after, max_events))
    for row in cursor:
        text = encode_item(*row)
        size += utf8_size(text)
        if size > max_bytes and events:
            break
        seq_nums.append(row[0])
        events.append(text)
    cursor.close()
    remaining = _count_after(file, known, seq_nums[-1]) if seq_nums else 0
    return Slice(known.state, seq_nums, events, remaining)


def _count_after(file: StoreFile, known: FileState, seq_num: int) -> int:
    missing = 0
    if known.missing:
        found = file.driver.execute(_SELECT_MISSING, (known.generation, seq_num)).fetchone()
        missing = found[0] if found else 0
    return known.event_count - (seq_num - missing)
