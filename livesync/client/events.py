"""What a client pushes, and what it gets."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Raw

from groundwork import strict_json
from livesync.client.errors import WrongAnswerError
from livesync.protocol.answers import PulledEvent, PulledPage
from livesync.protocol.errors import BackendIdMismatchError, InvalidBatchError
from livesync.protocol.events import MAX_SEQ_NUM, Cursor, Event, check_text
from livesync.protocol.messages import Limits
from livesync.protocol.requests import BATCH_MAX_BYTES, BATCH_MAX_EVENTS, size_of

_LIMITS = Limits()
_PAYLOAD_BYTES = 16_384  # room for what a push holds besides its events


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""The args of an event that has none, which is something else than ``None``, JSON's null."""


class Draft(NamedTuple):
    """An event to be pushed; it has no number yet.

    ``args`` is whatever JSON can hold. A ``msgspec.Raw`` is taken as the JSON text that it is, and
    kept to the letter.
    """

    name: str
    args: Any = ABSENT


class Page(NamedTuple):
    """Events that follow each other, oldest first, and the cursor behind them.

    ``remaining`` is how many more are stored already; None where the server does not say.
    """

    events: Sequence[PulledEvent]
    cursor: Cursor
    remaining: int | None


class Author(NamedTuple):
    """Who pushes: the two ids that stand in every event."""

    client_id: str
    session_id: str


class GapError(WrongAnswerError):
    """Events do not follow what was seen before."""


def number_drafts(
    drafts: Sequence[tuple[str, str | None]], after: int, author: Author
) -> list[Event]:
    """The events that drafts become behind the event ``after``; no more than go in one push.

    Args:
        drafts: name and args' JSON of each; one at least.
        after: number of the last stored event.
        author: who pushes.
    """
    events: list[Event] = []
    size = _PAYLOAD_BYTES
    for name, args in drafts[:BATCH_MAX_EVENTS]:
        number = after + len(events) + 1
        event = Event(name, args, number, number - 1, *author)
        size += size_of(event)
        if events and size > BATCH_MAX_BYTES:
            break
        events.append(event)
    return events


def open_draft(draft: tuple[str, Any] | tuple[str]) -> tuple[str, str | None]:
    """Name and args' JSON of a draft that a server can take.

    Raises:
        InvalidBatchError: the name or the args are too long, or nested too deeply.
        TypeError, ValueError: JSON has no form for the args.
    """
    name, args = Draft(*draft)
    check_text("name", name, max_bytes=_LIMITS.field_max_bytes)
    text = None if args is ABSENT else _json_text(args)
    if text is not None and strict_json.is_deeper_than(text, _LIMITS.args_max_depth):
        raise InvalidBatchError(
            f"invalid batch: args are nested more than {_LIMITS.args_max_depth} deep"
        )
    size = _PAYLOAD_BYTES + size_of(Event(name, text, MAX_SEQ_NUM, MAX_SEQ_NUM, "", ""))
    if size > BATCH_MAX_BYTES:
        raise InvalidBatchError(
            f"invalid batch: an event {name!r} has {size} bytes, at most {BATCH_MAX_BYTES}"
        )
    return name, text


def follow(cursor: Cursor | None, page: PulledPage) -> Page:
    """What of ``page`` is new behind ``cursor``: each event once, in order, without a gap.

    Raises:
        BackendIdMismatchError: it is of another history.
        GapError: an event is missing, or the order is wrong.
    """
    if cursor is not None and page.backend_id != cursor.backend_id:
        raise BackendIdMismatchError(expected=page.backend_id, received=cursor.backend_id)
    seen = 0 if cursor is None else cursor.seq_num
    fresh = list(_fresh(seen, page.events))
    last = fresh[-1].seq_num if fresh else seen
    return Page(fresh, Cursor(page.backend_id, last), page.remaining)


def _fresh(last: int, events: Sequence[PulledEvent]) -> Iterator[PulledEvent]:
    is_first = True
    for event in events:
        seq_num = event.seq_num
        if is_first and seq_num <= last:
            continue  # came before: a server may send again what it cannot know to be taken
        # whatever stands between the parent and the event would be missing
        if not event.parent_seq_num <= last < seq_num:
            raise GapError(f"event {seq_num} continues {event.parent_seq_num}, not {last}")
        last, is_first = seq_num, False
        yield event


def is_same_event(pulled: Event, pushed: Event) -> bool:
    """Whether a stored event is the one that was pushed.

    Args are compared as JSON values where the texts differ, for servers that write them anew.
    """
    return (
        pulled.seq_num == pushed.seq_num
        and pulled.parent_seq_num == pushed.parent_seq_num
        and pulled.name == pushed.name
        and pulled.client_id == pushed.client_id
        and pulled.session_id == pushed.session_id
        and _is_same_json(pulled.args, pushed.args)
    )


def _is_same_json(one: str | None, other: str | None) -> bool:
    if one == other:
        return True
    # the published worker stores absent args as null
    return bool(strict_json.loads(one or "null") == strict_json.loads(other or "null"))


def _json_text(args: Any) -> str:
    if isinstance(args, Raw):
        text = strict_json.decode_utf8(bytes(args))
        strict_json.loads(text)  # raises what is no JSON
        return text
    text = json.dumps(args, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # a lone surrogate, which UTF-8 cannot express, becomes its escape
    return text.encode("utf-8", "backslashreplace").decode()
