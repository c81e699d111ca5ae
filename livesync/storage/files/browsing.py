"""Look at the events in the file of a store, of its history or of one that was ended."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from livesync.storage.engine import Heading, LoggedEvent
from livesync.storage.files.store_file import StoreFile

_ARGS_BYTES = "coalesce(length(CAST(args AS BLOB)), 0)"
_SELECT_MISSING_BELOW = """
    SELECT missing FROM livesync_gap WHERE generation = ? AND seq_num <= event.seqNum
    ORDER BY seq_num DESC LIMIT 1
"""


def headings(
    file: StoreFile, generation: int, *, start: int, newest_first: bool, max_events: int
) -> list[Heading]:
    """As ``Engine.headings``."""
    table = file.table_of(generation)
    bound, order = ("<=", "DESC") if newest_first else (">=", "ASC")
    statement = (
        f'SELECT seqNum, name, clientId, {_ARGS_BYTES} FROM "{table}"'
        f" WHERE seqNum {bound} ? ORDER BY seqNum {order} LIMIT ?"
    )
    return [Heading(*row) for row in _rows(file, statement, (start, max_events))]


def events(
    file: StoreFile, generation: int, seq_nums: Sequence[int], *, max_args_chars: int
) -> list[LoggedEvent]:
    """As ``Engine.events``."""
    table = file.table_of(generation)
    places = ", ".join("?" * len(seq_nums))
    statement = (
        f"SELECT seqNum, parentSeqNum, seqNum - coalesce(({_SELECT_MISSING_BELOW}), 0), name,"
        f" substr(args, 1, ?), {_ARGS_BYTES}, clientId, sessionId, createdAt"
        f' FROM "{table}" AS event WHERE seqNum IN ({places}) ORDER BY seqNum'
    )
    rows = _rows(file, statement, (generation, max_args_chars, *seq_nums))
    return [LoggedEvent(*row) for row in rows]


def _rows(file: StoreFile, statement: str, parameters: Sequence[Any]) -> list[Any]:
    try:
        found = file.driver.execute(statement, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return []  # a reset, and the purge that followed it
    file.check()
    return found
