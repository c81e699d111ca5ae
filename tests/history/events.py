"""The events of the workload: what the checker calls an entry, as the protocol carries it."""

import json
import zlib
from functools import lru_cache

from tests.history.history import Entry
from tests.history.wire import Message


def event_of(entry: Entry) -> Message:
    """The event that stands for an entry: its content follows from its id alone."""
    writer = entry.id.partition("-")[0]
    return {
        "name": "noted",
        "args": {"id": entry.id, "text": _text(entry.id)},
        "seqNum": entry.seq,
        "parentSeqNum": entry.parent,
        "clientId": writer,
        "sessionId": f"session of {writer}",
    }


def entry_of(event: Message) -> Entry:
    """The entry that an event stands for.

    An event that no writer can have made gets its whole text as id, so that the checker finds
    out that it was never pushed.
    """
    args = event.get("args")
    name = str(args.get("id")) if isinstance(args, dict) else ""
    entry = Entry(name, event["seqNum"], event["parentSeqNum"])
    if event == event_of(entry):
        return entry
    return Entry(json.dumps(event), entry.seq, entry.parent)


@lru_cache(10_000)
def _text(name: str) -> str:
    check = zlib.crc32(name.encode())
    return f'"{check:x}" \\ \u2028 \U0001f600 ' + "x" * (check % 200)
