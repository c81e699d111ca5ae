"""A PullResponse to look at: what a client gets of a store's events in one piece."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec

from groundwork import strict_json
from livesync.protocol.answers import WireItem
from livesync.protocol.events import Event


class SentEvent(NamedTuple):
    """An event, and when it was stored: ISO 8601 in UTC with milliseconds."""

    event: Event
    created_at: str


class PullResponse:
    """One page, or one part of a batch that was just stored.

    Args:
        store_id: the store that it comes from, as it is stored.
        backend_id: the history that the events belong to.
        items: the events as items of a page; ``events`` has them to look at, and reads them when
            it is first asked for.
        remaining: how many stored events follow; 0 for a batch that was just stored.
    """

    def __init__(
        self, store_id: str, backend_id: str, items: Sequence[str], *, remaining: int = 0
    ) -> None:
        self.store_id = store_id
        self.backend_id = backend_id
        self.items = tuple(items)  # what a hook does to them must not reach a client
        self.remaining = remaining

    @cached_property
    def events(self) -> Sequence[SentEvent]:
        """The events, oldest first."""
        return [_sent_event(strict_json.read(item, _item)) for item in self.items]


_item = msgspec.json.Decoder(WireItem)


def _sent_event(item: WireItem) -> SentEvent:
    wire = item.event_encoded
    args = None if wire.args is msgspec.UNSET else bytes(wire.args).decode()
    return SentEvent(
        Event(wire.name, args, wire.seq_num, wire.parent_seq_num, wire.client_id, wire.session_id),
        item.created_at or "",
    )
