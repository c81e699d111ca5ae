"""Write a store to a file: JSON of LiveStore's command line, NDJSON, a Durable Object's SQLite.

``livestore sync import`` reads the JSON. It takes no notice of ``backendId`` and ``createdAt``,
which our own import keeps.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from groundwork import strict_json
from livesync.moving.errors import FileRefusedError
from livesync.moving.reference import (
    CONTEXT_TABLE,
    CREATE_CONTEXT,
    CREATE_EVENTLOG,
    eventlog_table,
)
from livesync.protocol.messages import WireEvent
from livesync.protocol.pages import quote, split_item


class History(NamedTuple):
    """What is to be written: who the store is, and its events as encoded items of pages."""

    store_id: str
    backend_id: str
    head: int
    event_count: int
    exported_at: str
    slices: Iterable[Sequence[str]]


def write_json(history: History, path: Path) -> None:
    """An object with the events in it, each on a line of its own."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{{_heading(history)},"events":[')
        separator = "\n"
        for piece in history.slices:
            file.write(separator + ",\n".join(map(_line, piece)))
            separator = ",\n"
        file.write("\n]}\n")


def write_ndjson(history: History, path: Path) -> None:
    """A line that says which store it is, and a line for each event."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{{{_heading(history)}}}\n")
        for piece in history.slices:
            file.writelines(f"{_line(item)}\n" for item in piece)


def write_sqlite(history: History, path: Path) -> None:
    """The file that a Durable Object of LiveStore's sync worker keeps for the store."""
    try:
        _write_tables(history, path)
    except sqlite3.Error as error:
        raise FileRefusedError(f"the file cannot be written: {error}") from error


def _write_tables(history: History, path: Path) -> None:
    table = eventlog_table(history.store_id)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # nobody sees the file before it is complete and on disk
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.execute(CREATE_EVENTLOG.format(table=table))
        connection.execute(CREATE_CONTEXT)
        insert = f'INSERT INTO "{table}" VALUES (?, ?, ?, ?, ?, ?, ?)'
        connection.executemany(insert, _rows(history.slices))
        connection.execute(
            f'INSERT INTO "{CONTEXT_TABLE}" VALUES (?, ?, ?)',
            (history.store_id, history.head, history.backend_id),
        )
        connection.execute("COMMIT")


WRITERS: dict[str, Callable[[History, Path], None]] = {
    "json": write_json,
    "ndjson": write_ndjson,
    "sqlite": write_sqlite,
}


_event = msgspec.json.Decoder(WireEvent)


def _heading(history: History) -> str:
    return (
        f'"version":1,"storeId":{quote(history.store_id)},"exportedAt":"{history.exported_at}",'
        f'"eventCount":{history.event_count},"backendId":{quote(history.backend_id)}'
    )


def _line(item: str) -> str:
    event, created_at = split_item(item)
    return f'{event[:-1]},"createdAt":"{created_at}"}}'


def _rows(slices: Iterable[Sequence[str]]) -> Iterator[tuple[object, ...]]:
    for item in chain.from_iterable(slices):
        text, created_at = split_item(item)
        event = strict_json.read(text, _event)
        yield (
            event.seq_num,
            event.parent_seq_num,
            event.name,
            None if event.args is UNSET else str(event.args, "utf-8"),
            created_at,
            event.client_id,
            event.session_id,
        )
