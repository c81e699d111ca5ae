"""The workload's events show by themselves when a server changed them."""

import json

import pytest

from tests.history.events import entry_of, event_of
from tests.history.history import Entry

ENTRY = Entry("w3-17-2", 1005, 4)


def test_an_entry_survives_the_wire() -> None:
    assert entry_of(json.loads(json.dumps(event_of(ENTRY)))) == ENTRY


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"clientId": "w4"},
        {"sessionId": ""},
        {"args": None},
        {"args": {"id": "w3-17-2", "text": "other"}},
        {"args": {"id": "w3-17-2"}},
        {"args": {**event_of(ENTRY)["args"], "more": 1}},
        {"extra": 1},
    ],
)
def test_a_changed_event_is_no_event_of_the_workload(change: dict[str, object]) -> None:
    entry = entry_of({**event_of(ENTRY), **change})

    assert entry.id != ENTRY.id
    assert (entry.seq, entry.parent) == (ENTRY.seq, ENTRY.parent)


def test_events_differ_in_more_than_their_id() -> None:
    texts = {event_of(Entry(f"w0-{number}-0", 1, 0))["args"]["text"] for number in range(50)}

    assert len(texts) == 50
