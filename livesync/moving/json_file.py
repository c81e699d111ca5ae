"""Read the JSON of LiveStore's command line (``livestore sync export``), and our NDJSON.

Both have one heading: ``version``, ``storeId``, ``exportedAt``, ``eventCount``, and of ours
``backendId``. Behind it the events are its member ``events``, or a line each. Ours have
``createdAt`` besides what the command line writes.

Source: ``@livestore/cli`` 0.4.0, ``sync-operations.ts`` (``ExportFileSchema``).
"""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

import msgspec
from msgspec import UNSET, UnsetType

from groundwork import strict_json
from livesync.moving.errors import FileRefusedError
from livesync.moving.sound import EventCheck, UnsoundError
from livesync.moving.source import Origin
from livesync.moving.text import TextFile
from livesync.protocol.messages import Limits, WireEvent
from livesync.storage.engine import TimedEvent

FORMAT_VERSION = 1

_SPACES = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")|[ \t\n\r]+')
_MAX_MEMBERS = 100
_SEPARATOR_WITHIN_CHARS = 65_536
_MAX_MISSES = 100


class _Heading(msgspec.Struct, rename="camel"):
    version: int
    store_id: str
    exported_at: str
    event_count: int
    backend_id: str | UnsetType = UNSET


class _FileEvent(WireEvent, rename="camel", gc=False):
    created_at: str | UnsetType = UNSET


_HEADING_MEMBERS = {field.encode_name for field in msgspec.structs.fields(_Heading)}

_heading = msgspec.json.Decoder(_Heading)
_event = msgspec.json.Decoder(_FileEvent)
_string = msgspec.json.Decoder(str)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# finds where a value ends; the numbers themselves are not wanted, and may have a million digits
_scan_once: Any
_scan_once = json.JSONDecoder(  # type: ignore[attr-defined] # typeshed leaves it out
    parse_int=len, parse_float=len, parse_constant=_refuse_constant
).scan_once


class JsonSource:
    """Implements ``livesync.moving.source.Source`` for both forms.

    Raises:
        FileRefusedError: the heading is not that of such a file.
    """

    def __init__(self, file: BinaryIO, size: int, limits: Limits) -> None:
        self.has_times = True
        self._text = TextFile(file, size)
        self._check = EventCheck(limits)
        self._separator: str | None = None
        self._misses = 0
        self._has_lines = False
        self._heading = self._read_heading()
        backend_id = self._heading.backend_id
        self.origin = Origin(
            kind="NDJSON" if self._has_lines else "JSON",
            store_id=self._heading.store_id,
            backend_id=None if backend_id is UNSET else backend_id,
            event_count=self._heading.event_count,
        )

    def events(self) -> Iterator[TimedEvent]:
        yield from self._lines() if self._has_lines else self._items()
        said = self._heading.event_count
        if self._check.count != said:
            raise FileRefusedError(
                f"the heading speaks of {said:,} events, but there are {self._check.count:,}"
            )

    def share_read(self) -> float:
        return self._text.share_read()

    def _read_heading(self) -> _Heading:
        self._expect("{")
        members = self._heading_members()
        place = self._text.line()
        try:
            heading = strict_json.read("{" + ",".join(members) + "}", _heading)
        except strict_json.JsonError as error:
            raise FileRefusedError(f"the heading has {error}", place=f"line {place}") from None
        if heading.version != FORMAT_VERSION:
            raise FileRefusedError(
                f"version {heading.version} of the format; this reads version {FORMAT_VERSION}"
            )
        return heading

    def _heading_members(self) -> list[str]:
        members: dict[str, str] = {}
        for _ in range(_MAX_MEMBERS):
            if self._peek() == "}":
                self._text.position += 1
                self._has_lines = True
                self._skip_line_end()
                return list(members.values())
            key = self._key()
            if key == "events":
                self._expect("[")
                self._separator = self._guess_separator()
                return list(members.values())
            value = self._value()
            if key in members:
                raise self._text.refused(f"{key} is there twice in the heading")
            if key in _HEADING_MEMBERS:
                members[key] = f"{json.dumps(key)}:{value}"
            if self._peek() != "}":
                self._expect(",")
        raise self._text.refused(f"more than {_MAX_MEMBERS} members in the heading")

    def _guess_separator(self) -> str:
        """What stands between two events if it is what stands before the first one."""
        start = self._text.position
        self._peek()
        # the place may have moved with the buffer, but never over more than white space
        end = self._text.position
        return "}," + self._text.buffer[min(start, end) : end] + "{"

    def _items(self) -> Iterator[TimedEvent]:
        if self._peek() == "]":
            self._text.position += 1
            return self._finish()
        while True:
            yield self._fast_item() or self._slow_item()
            if self._peek() == "]":
                self._text.position += 1
                return self._finish()
            self._expect(",")

    def _fast_item(self) -> TimedEvent | None:
        """The next event if it ends where the next one seems to begin.

        Nothing but the right end gives a whole JSON value, so a wrong guess does no harm.
        """
        if self._separator is None:
            return None
        self._peek()
        text, start = self._text.buffer, self._text.position
        end = text.find(self._separator, start, start + _SEPARATOR_WITHIN_CHARS)
        try:
            wire = _event.decode(text[start : end + 1]) if end >= 0 else None
        except (msgspec.DecodeError, RecursionError):
            wire = None
        if wire is None:
            self._misses += 1
            if self._misses > _MAX_MISSES:
                self._separator = None
            return None
        event = self._sound(wire)
        self._text.position = end + 1
        return event

    def _slow_item(self) -> TimedEvent:
        self._peek()
        piece = self._value(keep_position=True)
        event = self._sound(self._typed(piece))
        self._text.position += len(piece)
        return event

    def _lines(self) -> Iterator[TimedEvent]:
        while (line := self._line()) is not None:
            try:
                wire = _event.decode(line)
            except (msgspec.DecodeError, RecursionError):
                wire = self._typed(line)
            yield self._sound(wire)
            self._text.position += len(line)
            self._skip_line_end()

    def _line(self) -> str | None:
        while (end := self._text.buffer.find("\n", self._text.position)) < 0:
            if not self._text.more():
                return self._text.buffer[self._text.position :] or None
        if end == self._text.position:
            raise self._text.refused("an empty line")
        return self._text.buffer[self._text.position : end]

    def _skip_line_end(self) -> None:
        if self._text.position == len(self._text.buffer):
            self._text.more()
        if self._text.buffer.startswith("\r", self._text.position):
            self._text.position += 1
        if self._text.buffer.startswith("\n", self._text.position):
            self._text.position += 1
        elif self._text.position < len(self._text.buffer):
            raise self._text.refused("the heading ends here, but its line goes on")

    def _typed(self, text: str) -> _FileEvent:
        try:
            return strict_json.read(text, _event)
        except (strict_json.JsonError, UnicodeEncodeError) as error:
            raise self._text.refused(f"no event: {error}") from None

    def _sound(self, wire: _FileEvent) -> TimedEvent:
        args = None if wire.args is UNSET else _compact(str(wire.args, "utf-8"))
        created_at = wire.created_at
        if created_at is UNSET:
            created_at, self.has_times = self._heading.exported_at, False
        try:
            return self._check.take(
                wire.seq_num,
                wire.parent_seq_num,
                wire.name,
                args,
                wire.client_id,
                wire.session_id,
                created_at,
                is_args_json=True,
            )
        except UnsoundError as error:
            raise self._text.refused(str(error)) from None

    def _finish(self) -> None:
        """What may stand behind the events: members that nobody needs, and the end."""
        for _ in range(_MAX_MEMBERS):
            if self._peek() == "}":
                break
            self._expect(",")
            key = self._key()
            if key in _HEADING_MEMBERS:
                raise self._text.refused(f"{key} stands behind the events")
            self._value()
        self._expect("}")
        if self._peek():
            raise self._text.refused("something follows after the end")

    def _key(self) -> str:
        if self._peek() != '"':
            raise self._text.refused("expected the name of a member")
        key = strict_json.read(self._value(), _string)
        self._expect(":")
        return key

    def _value(self, *, keep_position: bool = False) -> str:
        """The text of the JSON value that the reader stands at."""
        self._peek()
        text = self._text
        while True:
            try:
                _, end = _scan_once(text.buffer, text.position)
            except RecursionError:
                raise text.refused("nested too deeply") from None
            except StopIteration as error:
                self._refuse_early("a value was expected", error.value)
            except json.JSONDecodeError as error:
                if not error.msg.startswith("Unterminated string"):
                    self._refuse_early(error.msg, error.pos)
            except ValueError as error:
                raise text.refused(f"not JSON: {error}") from None
            else:
                # a number may go on behind the buffer
                if end < len(text.buffer) or text.is_ended:
                    piece = text.buffer[text.position : end]
                    text.position = text.position if keep_position else end
                    return piece
            if not text.more():
                raise text.refused("not JSON: the file ends before this does")

    def _refuse_early(self, message: str, position: int) -> None:
        """Refuse what is wrong for certain; near the end of the buffer it may go on well."""
        if position < len(self._text.buffer) - 16:
            raise self._text.refused(f"not JSON: {message}", position)

    def _peek(self) -> str:
        """The next character that is no white space; "" at the end of the file."""
        text = self._text
        while True:
            found = _SPACES.match(text.buffer, text.position)
            text.position = found.end() if found else text.position
            if text.position < len(text.buffer):
                return text.buffer[text.position]
            if not text.more():
                return ""

    def _expect(self, character: str) -> None:
        found = self._peek()
        if found != character:
            seen = repr(found) if found else "the end of the file"
            raise self._text.refused(f"expected {character!r}, found {seen}")
        self._text.position += 1


def _compact(args: str) -> str:
    """Args without the white space that the command line puts into them."""
    if "\n" not in args:
        return args
    try:
        return msgspec.json.format(args, indent=-1)
    except msgspec.DecodeError:  # of an escaped lone surrogate, which JavaScript writes
        return _TOKEN.sub(r"\1", args)
