"""What a commit will write, decided from the rows of the locked stores; no I/O here."""

from collections.abc import Collection, Iterable, Sequence
from itertools import repeat
from typing import NamedTuple

import msgspec

from livesync.models import Place
from livesync.protocol.admission import admit, check_backend_id
from livesync.protocol.chunking import utf8_size
from livesync.protocol.errors import LivesyncError, StoreHeldError
from livesync.protocol.events import Event
from livesync.storage.engine import Append, Appended, Outcome
from livesync.storage.places import check_place


class StoreRow(msgspec.Struct):
    """The row of a locked store, as it will be after the commit."""

    key: int
    store_id: str
    generation: int
    backend_id: str
    head: int
    event_count: int
    byte_count: int
    place: str = Place.DATABASE
    is_new: bool = False


class EventRow(NamedTuple):
    """The row of an event to insert."""

    store_key: int
    generation: int
    seq_num: int
    parent_seq_num: int
    ordinal: int
    name: str
    args: str | None
    client_id: str
    session_id: str
    created_at: str


class Plan(NamedTuple):
    """An outcome for each append, the rows to insert, and the stores whose rows change."""

    outcomes: list[Outcome]
    rows: list[EventRow]
    moved: list[StoreRow]
    store_ids: list[str]
    created_at: str


def make_plan(appends: Sequence[Append], stores: dict[str, StoreRow], *, created_at: str) -> Plan:
    """Decide every append in its order; ``stores`` holds the rows of the stores that are locked.

    An append to another store has to wait: its outcome is a ``StoreHeldError``. Appends to one
    store see the head that those before them will have left.
    """
    plan = Plan([], [], [], list(stores), created_at)
    moved: dict[int, StoreRow] = {}
    for append in appends:
        store = stores.get(append.store_id)
        if store is None:
            plan.outcomes.append(StoreHeldError())
            continue
        try:
            outcome: Outcome = _decide(append, store, plan)
        except LivesyncError as error:
            outcome = error
        else:
            if append.batch:
                moved[store.key] = store
        plan.outcomes.append(outcome)
    plan.moved.extend(moved.values())
    return plan


def _decide(append: Append, store: StoreRow, plan: Plan) -> Appended:
    parent = store.head
    check_place(store.place)
    if append.batch:  # an empty push succeeds whatever history it was made on, as in the reference
        check_backend_id(append.backend_id, stored=store.backend_id)
        store.head = admit(store.head, append.batch)
        _add_rows(append.batch, store, plan)
    made_store, store.is_new = store.is_new, False  # by the first of its appends alone
    return Appended(
        append.store_id,
        store.backend_id,
        parent,
        store.head,
        append.batch,
        plan.created_at,
        made_store,
    )


def mark_new(stores: dict[str, StoreRow], backend_ids: Collection[str]) -> dict[str, StoreRow]:
    """Mark those rows of just now that have one of these ids; another process made the others."""
    for store in stores.values():
        store.is_new = store.backend_id in backend_ids
    return stores


def event_rows(
    key: int, generation: int, count: int, timed: Iterable[tuple[Event, str]]
) -> list[EventRow]:
    """The rows of events, each with its time, that follow ``count`` others."""
    return [
        EventRow(
            key,
            generation,
            event.seq_num,
            event.parent_seq_num,
            ordinal,
            event.name,
            event.args,
            event.client_id,
            event.session_id,
            created_at,
        )
        for ordinal, (event, created_at) in enumerate(timed, count + 1)
    ]


def _add_rows(batch: Sequence[Event], store: StoreRow, plan: Plan) -> None:
    timed = zip(batch, repeat(plan.created_at), strict=False)  # the time is the same for all
    plan.rows.extend(event_rows(store.key, store.generation, store.event_count, timed))
    store.event_count += len(batch)
    store.byte_count += text_bytes(batch)


def text_bytes(batch: Sequence[Event]) -> int:
    """The UTF-8 bytes of the events' names and args."""
    # one text: looking at each would take longer than putting them together
    return utf8_size("".join([event.name + (event.args or "") for event in batch]))
