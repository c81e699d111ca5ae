"""Read a D1 database's SQL dump (``wrangler d1 export``) without executing any of it.

Source of the form: miniflare 4, ``workers/d1/dumpSql.ts``; the shell of SQLite writes nearly the
same.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from groundwork.visible_text import visible
from livesync.moving.errors import FileRefusedError
from livesync.moving.reference import EVENTLOG_COLUMNS, eventlog_table, no_eventlog
from livesync.moving.sound import EventCheck, UnsoundError
from livesync.moving.source import Origin
from livesync.moving.sqlite_file import Context, d1_notes
from livesync.moving.text import TextFile
from livesync.protocol.messages import Limits
from livesync.storage.engine import TimedEvent

_QUOTED = r"""'[^']*+(?:''[^']*+)*+'"""
_BETWEEN = re.compile(r"(?:[ \t\n\r]++|--[^\n]*+\n|/\*(?:[^*]|\*(?!/))*+\*/)*+")
# a quote that never ends reaches to the end of the buffer and no further: nothing is tried twice
_STATEMENT = re.compile(rf"""(?:[^'";]++|{_QUOTED}|"[^"]*+")*+;""")
_CREATE = re.compile(
    r'CREATE TABLE (?:IF NOT EXISTS )?(?:"(\w+)"|(\w+)) ?\((.*)\)[^()]*;', re.DOTALL | re.IGNORECASE
)
_COLUMN = re.compile(r'(?:^|,)\s*"?(\w+)"?\s')
_INSERT = re.compile(
    r'INSERT INTO (?:"(\w+)"|(\w+)) ?(?:\(([^()\']*)\))? ?VALUES ?\((.*)\);', re.DOTALL
)
_PLAIN_ROW = (
    r'INSERT INTO "{table}" VALUES\((\d{1,16}),(\d{1,16}),'
    rf"({_QUOTED}),(?:NULL|({_QUOTED})),({_QUOTED}),({_QUOTED}),({_QUOTED})\);\n?"
)
_CELL = re.compile(rf"\s*+(?:(NULL)|(-?\d{{1,19}})|({_QUOTED})|(replace\())", re.IGNORECASE)
_REPLACEMENT = re.compile(rf"\s*,\s*({_QUOTED})\s*,\s*char\((10|13)\)\s*\)", re.IGNORECASE)
_NO_END = (
    "a dump has no mark of its end: compare the head with the last number in the database, as one"
    " that was cut off between two rows cannot be told from a shorter one"
)
_MAX_TABLES = 10_000
_MAX_NESTED_REPLACES = 8
_ORDER = ("seqNum", "parentSeqNum", "name", "args", "clientId", "sessionId", "createdAt")

_Cell = int | str | None


class SqlDumpSource:
    """Implements ``livesync.moving.source.Source``.

    Args:
        file: the dump.
        size: its size in bytes.
        store_id: the store that is meant.
        context: what the store's Durable Object knows of it, from its own file.
        limits: of an event's fields.
    """

    has_times = True

    def __init__(
        self, file: BinaryIO, size: int, store_id: str, context: Context | None, limits: Limits
    ) -> None:
        self._text = TextFile(file, size)
        self._check = EventCheck(limits)
        self._table = eventlog_table(store_id)
        self._tables: list[str] = []
        self._columns: tuple[str, ...] | None = None
        self._plain_row = re.compile(_PLAIN_ROW.replace("{table}", self._table))
        self.origin = Origin(
            kind="D1 dump",
            store_id=store_id,
            backend_id=context.backend_id if context else None,
            head=context.head if context else None,
            notes=d1_notes(store_id) + (() if context else (_NO_END,)),
        )

    def events(self) -> Iterator[TimedEvent]:
        while True:
            if self._columns == EVENTLOG_COLUMNS:
                yield from self._plain_rows()
            statement = self._statement()
            if statement is None:
                break
            if statement.startswith("INSERT INTO"):
                event = self._inserted(statement)
                if event is not None:
                    yield event
            else:
                self._note_table(statement)
            self._text.position += len(statement)
        if self._columns is None:
            raise FileRefusedError(no_eventlog(self._table, self._tables))

    def share_read(self) -> float:
        return self._text.share_read()

    def _plain_rows(self) -> Iterator[TimedEvent]:
        """As many rows as there are in the form in which nearly all are written."""
        text = self._text
        match = self._plain_row.match
        while (row := match(text.buffer, text.position)) is not None:
            seq_num, parent, name, args, created_at, client_id, session_id = row.groups()
            yield self._sound(
                int(seq_num),
                int(parent),
                _unquoted(name),
                None if args is None else _unquoted(args),
                _unquoted(client_id),
                _unquoted(session_id),
                _unquoted(created_at),
            )
            text.position = row.end()

    def _statement(self) -> str | None:
        """The statement that the reader stands at, which is left there; None at the end."""
        text = self._text
        while True:
            between = _BETWEEN.match(text.buffer, text.position)
            start = between.end() if between else text.position
            text.position = start
            found = _STATEMENT.match(text.buffer, start)
            if found is not None:
                return found[0]
            if "\0" in text.buffer:
                position = text.buffer.index("\0")
                raise text.refused("a NUL character, which no dump has", position)
            if not text.more():
                if start >= len(text.buffer):
                    return None
                raise text.refused("the file ends in the middle of a statement")

    def _note_table(self, statement: str) -> None:
        found = _CREATE.fullmatch(statement)
        name = (found[1] or found[2]) if found else ""
        if found and len(self._tables) < _MAX_TABLES:
            self._tables.append(name)
        if found and name == self._table:
            self._columns = tuple(_COLUMN.findall(found[3]))
            self._check_columns(self._columns)
        elif self._table in statement:
            raise self._text.refused(
                f"a statement about {visible(self._table)} that no dump has: {statement[:60]!r}"
            )

    def _check_columns(self, columns: tuple[str, ...]) -> None:
        if sorted(columns) != sorted(EVENTLOG_COLUMNS):
            raise self._text.refused(
                f"the table {visible(self._table)} has the columns {', '.join(columns)[:200]}; "
                f"they have to be {', '.join(EVENTLOG_COLUMNS)}"
            )

    def _inserted(self, statement: str) -> TimedEvent | None:
        found = _INSERT.fullmatch(statement)
        if found is None:
            raise self._text.refused(f"an INSERT that no dump has: {statement[:60]!r}")
        if (found[1] or found[2]) != self._table:
            return None
        columns = self._columns
        if found[3]:
            columns = tuple(name.strip().strip('"') for name in found[3].split(","))
            self._check_columns(columns)
            self._columns = self._columns or columns
        if columns is None:
            raise self._text.refused("a row comes before the CREATE TABLE that names its columns")
        row = dict(zip(columns, self._cells(found[4]), strict=True))
        return self._sound(*(row[column] for column in _ORDER))

    def _cells(self, text: str) -> list[_Cell]:
        cells: list[_Cell] = []
        position = 0
        while True:
            cell, position = self._cell_at(text, position, _MAX_NESTED_REPLACES)
            cells.append(cell)
            if position == len(text) or len(cells) > len(EVENTLOG_COLUMNS):
                break
            if text[position] != ",":
                raise self._text.refused(
                    f"expected a comma between values, found {text[position]!r}"
                )
            position += 1
        if len(cells) != len(EVENTLOG_COLUMNS):
            raise self._text.refused(
                f"{len(cells)} values{' or more' * (position < len(text))} for"
                f" {len(EVENTLOG_COLUMNS)} columns"
            )
        return cells

    def _cell_at(self, text: str, position: int, nested: int) -> tuple[_Cell, int]:
        found = _CELL.match(text, position)
        if found is None or (found[4] and not nested):
            raise self._text.refused(
                f"a value that no dump has: {text[position : position + 40]!r}"
            )
        if not found[4]:
            return _cell(found[2], found[3]), found.end()
        inner, end = self._cell_at(text, found.end(), nested - 1)
        rest = _REPLACEMENT.match(text, end)
        if rest is None or not isinstance(inner, str):
            raise self._text.refused(
                f"a value that no dump has: {text[position : position + 40]!r}"
            )
        sought = str(_cell(None, rest[1]))
        if len(sought) != 2:
            raise self._text.refused(f"a value that no dump has: replace of {sought[:40]!r}")
        return inner.replace(sought, chr(int(rest[2]))), rest.end()

    def _sound(self, *cells: _Cell) -> TimedEvent:
        try:
            return self._check.take_columns(*cells)
        except UnsoundError as error:
            raise self._text.refused(str(error)) from None


def _cell(number: str | None, quoted: str | None) -> _Cell:
    if number is not None:
        return int(number)
    if quoted is not None:
        return _unquoted(quoted)
    return None


def _unquoted(quoted: str) -> str:
    return quoted[1:-1].replace("''", "'")
