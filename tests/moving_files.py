"""Files of events as others leave them behind, sound unless asked otherwise."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from livesync.moving.opening import open_source
from livesync.moving.reference import (
    CONTEXT_TABLE,
    CREATE_CONTEXT,
    CREATE_EVENTLOG,
    eventlog_table,
)
from livesync.moving.source import Source
from livesync.protocol.events import Event
from livesync.protocol.messages import Limits
from livesync.storage.engine import TimedEvent
from tests.factories import make_events, wire_event

BACKEND_ID = "V1StGXR8_Z5jdHi6B-myT"
STORE = "notes"
TIME = "2026-01-31T12:00:00.000Z"
VECTORS = Path(__file__).parent / "vectors" / "moving"
"""What miniflare 4.20251008.0 has left on disk of ``@livestore/sync-cf`` 0.4.0 on D1: the database,
the Durable Objects of two stores whose ids differ in punctuation, and a dump (``d1.sql``)."""


@contextmanager
def opened(path: Path, store_id: str | None = None, **options: Any) -> Iterator[Source]:
    """The file as the import opens it."""
    context = options.get("context")
    limits = options.get("limits", Limits())
    with open_source(path, store_id=store_id, context=context, limits=limits) as source:
        yield source


def events_in(path: Path, store_id: str | None = None, **options: Any) -> list[TimedEvent]:
    """All its events."""
    with opened(path, store_id, **options) as source:
        return list(source.events())


def timed(events: Iterable[Event], created_at: str = TIME) -> list[TimedEvent]:
    """Events with their time."""
    return [TimedEvent(event, created_at) for event in events]


def heading(event_count: int, **changed: Any) -> dict[str, Any]:
    """What the JSON of LiveStore's command line says ahead of the events."""
    said = {"version": 1, "storeId": STORE, "exportedAt": TIME, "eventCount": event_count}
    return {**said, **changed}


def write_cli_json(
    path: Path, events: Sequence[Event], *, indent: int | None = 2, **changed: Any
) -> Path:
    """The file of ``livestore sync export``; without indentation as few bytes as can be."""
    separators = (",", ":") if indent is None else (",", ": ")
    content = {**heading(len(events), **changed), "events": [wire_event(event) for event in events]}
    text = json.dumps(content, indent=indent, separators=separators, ensure_ascii=False)
    path.write_text(text)
    return path


def write_ndjson(path: Path, events: Sequence[Event], **changed: Any) -> Path:
    """The file of ``export_store --format ndjson``."""
    said = heading(len(events), **{"backendId": BACKEND_ID, **changed})
    lines = [said, *({**wire_event(event), "createdAt": TIME} for event in events)]
    texts = (json.dumps(line, separators=(",", ":"), ensure_ascii=False) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def rows_of(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """Events as rows of an eventlog's table."""
    return [
        (e.seq_num, e.parent_seq_num, e.name, e.args, TIME, e.client_id, e.session_id)
        for e in events
    ]


def write_durable_object(
    path: Path,
    events: Sequence[Event] | None = None,
    *,
    rows: Sequence[tuple[Any, ...]] | None = None,
    store_id: str = STORE,
    backend_id: str = BACKEND_ID,
    head: int | None = None,
) -> Path:
    """The file of a store's Durable Object, of three events unless told."""
    events = make_events(3) if events is None else events
    rows = rows_of(events) if rows is None else rows
    table = eventlog_table(store_id)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(CREATE_EVENTLOG.format(table=table))
        connection.execute(CREATE_CONTEXT)
        connection.executemany(f'INSERT INTO "{table}" VALUES (?, ?, ?, ?, ?, ?, ?)', rows)
        last = rows[-1][0] if rows else 0
        context = (store_id, last if head is None else head, backend_id)
        connection.execute(f'INSERT INTO "{CONTEXT_TABLE}" VALUES (?, ?, ?)', context)
    return path


def change(path: Path, *statements: str) -> Path:
    """Do something to an SQLite file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return path


def dump_of(events: Iterable[Event], *, store_id: str = STORE) -> str:
    """What ``wrangler d1 export`` writes of a store's table."""
    table = eventlog_table(store_id)
    create = CREATE_EVENTLOG.format(table=table).replace("TABLE", "TABLE IF NOT EXISTS", 1)
    inserts = (
        f'INSERT INTO "{table}" VALUES({",".join(map(_literal, row))});' for row in rows_of(events)
    )
    return "\n".join(["PRAGMA defer_foreign_keys=TRUE;", f"{create};", *inserts])


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
