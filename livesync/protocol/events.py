"""An event, a cursor, and what sequence numbers mean.

Sequence numbers are integers from 1 to 2^53 - 1. They ascend, and may jump: what is unbroken is the
chain of parents (LiveStore's own suite pushes number 20000 onto an empty store).
"""

import msgspec

from livesync.protocol.errors import InvalidBatchError, InvalidCursorError

MAX_SEQ_NUM = 2**53 - 1
"""The largest integer that JavaScript holds exactly."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One immutable fact.

    ``args`` is the JSON text exactly as the client wrote it; None when the client sent no args,
    which is something else than the text ``null``.
    """

    name: str
    args: str | None
    seq_num: int
    parent_seq_num: int
    client_id: str
    session_id: str


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """Where a client is: the history it knows and the last number it has seen (0: none)."""

    backend_id: str
    seq_num: int


def check_cursor(cursor: Cursor) -> None:
    """Refuse a cursor that no client can have got from a server.

    Raises:
        InvalidCursorError: the number is negative.
    """
    if cursor.seq_num < 0:
        raise InvalidCursorError(f"cursor {cursor.seq_num} is below 0")


def check_chain(batch: list[Event]) -> None:
    """Check that the events of ``batch`` form a chain, each continuing the one before.

    Raises:
        InvalidBatchError: an event does not, or its number is not above its parent's.
    """
    previous: int | None = None
    for event in batch:
        seq_num, parent = event.seq_num, event.parent_seq_num
        if not 0 <= parent < seq_num <= MAX_SEQ_NUM:
            raise InvalidBatchError(f"invalid batch: event {seq_num} has parent {parent}")
        if previous is not None and parent != previous:
            raise InvalidBatchError(
                f"invalid batch: event {seq_num} continues {parent}, but follows {previous}"
            )
        previous = seq_num


def check_text(field: str, text: str, *, max_bytes: int) -> None:
    """Check a name or id of an event: what every database can keep, and not too long.

    Raises:
        InvalidBatchError: NUL, a lone surrogate, or more than ``max_bytes`` bytes of UTF-8.
    """
    if "\0" in text:
        raise InvalidBatchError(f"invalid batch: {field} holds a NUL character")
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise InvalidBatchError(f"invalid batch: {field} holds a lone surrogate") from None
    if size > max_bytes:
        raise InvalidBatchError(f"invalid batch: {field} has {size} bytes, at most {max_bytes}")
