"""Events as tests need them: short to ask for, valid unless asked otherwise."""

import json
from collections.abc import Iterable
from typing import Any

from livesync.protocol.events import Event


def make_event(
    seq_num: int,
    *,
    parent: int | None = None,
    name: str = "noted",
    args: str | None = '{"text":"hello"}',
    client_id: str = "client-1",
    session_id: str = "session-1",
) -> Event:
    """One event; its parent is the number before unless said otherwise."""
    parent = seq_num - 1 if parent is None else parent
    return Event(name, args, seq_num, parent, client_id, session_id)


def make_events(count: int, *, after: int = 0, **fields: Any) -> list[Event]:
    """A chain of ``count`` events without gaps that continues ``after``."""
    return [make_event(number, **fields) for number in range(after + 1, after + count + 1)]


def make_chain(*numbers: int, after: int = 0, **fields: Any) -> list[Event]:
    """A chain with these numbers, whatever gaps there are between them."""
    parents = (after, *numbers)
    return [
        make_event(number, parent=parent, **fields)
        for number, parent in zip(numbers, parents, strict=False)
    ]


def wire_event(event: Event) -> dict[str, Any]:
    """An event as a client sends it, parsed."""
    args = {} if event.args is None else {"args": json.loads(event.args)}
    return {
        "name": event.name,
        **args,
        "seqNum": event.seq_num,
        "parentSeqNum": event.parent_seq_num,
        "clientId": event.client_id,
        "sessionId": event.session_id,
    }


def wire_events(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The same for several."""
    return [wire_event(event) for event in events]


def option(value: Any) -> dict[str, Any]:
    """An Option as Effect encodes it; None is the empty one."""
    return {"_tag": "None"} if value is None else {"_tag": "Some", "value": value}
