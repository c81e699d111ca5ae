"""A batch is stored whole behind the head it was made on, and what is reported is stored."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from livesync.protocol.errors import BackendIdMismatchError, ServerAheadError
from livesync.protocol.events import MAX_SEQ_NUM
from livesync.storage.engine import Engine, Slice
from tests.factories import make_chain, make_event, make_events
from tests.storage import (
    STORE,
    details,
    numbers,
    push,
    read,
    rows,
    run_in_threads,
    stored_events,
)


def test_the_first_append_makes_the_store(engine: Engine) -> None:
    done = push(engine, make_events(2))

    assert (done.store_id, done.parent, done.head) == (STORE, 0, 2)
    assert len(done.backend_id) == 21
    assert numbers(engine) == [1, 2]


def test_a_batch_continues_the_one_before(engine: Engine) -> None:
    first = push(engine, make_events(2))
    second = push(engine, make_chain(7, 9, after=2), backend_id=first.backend_id)

    assert (second.parent, second.head) == (2, 9)
    assert second.backend_id == first.backend_id
    assert numbers(engine) == [1, 2, 7, 9]


@pytest.mark.parametrize("parent", [0, 1, 3, 20_000])
def test_a_batch_on_another_head_is_refused_whole(engine: Engine, parent: int) -> None:
    push(engine, make_events(2))

    with pytest.raises(ServerAheadError) as refusal:
        push(engine, make_events(3, after=parent))

    assert (refusal.value.expected, refusal.value.provided) == (2, parent)
    assert numbers(engine) == [1, 2]


def test_a_replayed_batch_is_not_stored_again(engine: Engine) -> None:
    push(engine, make_events(2))

    with pytest.raises(ServerAheadError):
        push(engine, make_events(2))

    assert numbers(engine) == [1, 2]


def test_a_batch_on_another_history_is_refused_before_its_head_is_looked_at(
    engine: Engine,
) -> None:
    done = push(engine, make_events(2))

    with pytest.raises(BackendIdMismatchError) as refusal:
        push(engine, make_events(1, after=77), backend_id="another history")

    assert refusal.value.expected == done.backend_id
    assert refusal.value.received == "another history"
    assert numbers(engine) == [1, 2]


def test_an_empty_batch_makes_the_store_and_stores_nothing(engine: Engine) -> None:
    made = push(engine, [])
    again = push(engine, [])

    assert (made.parent, made.head, made.backend_id) == (0, 0, again.backend_id)
    assert read(engine) == Slice(read(engine).state, [], [], 0)
    assert read(engine).state.event_count == 0


def test_the_last_number_there_is_fills_the_store(engine: Engine) -> None:
    push(engine, make_chain(MAX_SEQ_NUM))

    assert read(engine).state.head == MAX_SEQ_NUM


@pytest.mark.parametrize("length", [9, 10, 11, 49, 50, 51, 60, 123])
def test_every_event_of_a_batch_is_stored_in_its_place(engine: Engine, length: int) -> None:
    push(engine, [make_event(number, args=str(-number)) for number in range(1, length + 1)])

    stored = stored_events(engine)
    assert [(event["seqNum"], event["args"]) for event in stored] == [
        (str(number), str(-number)) for number in range(1, length + 1)
    ]
    assert [row.ordinal for row in rows(engine)] == list(range(1, length + 1))


def test_five_thousand_events_are_one_batch(engine: Engine) -> None:
    push(engine, make_events(5_000))

    assert numbers(engine) == list(range(1, 5_001))
    assert read(engine).state.event_count == 5_000


def test_every_connection_sees_what_was_reported(engine: Engine) -> None:
    places: list[tuple[int, int]] = []
    push(engine, make_events(3))

    bytes_of_one = len('noted{"text":"hello"}')
    store = details(engine)
    assert (store.head, store.event_count, store.byte_count) == (3, 3, 3 * bytes_of_one)
    run_in_threads(1, lambda _: places.extend((row.seq_num, row.ordinal) for row in rows(engine)))
    assert places == [(1, 1), (2, 2), (3, 3)]


def test_events_say_when_they_were_stored(engine: Engine) -> None:
    before = datetime.now(UTC)
    done = push(engine, make_events(2))

    items = [json.loads(text)["metadata"] for text in read(engine).events]

    told = {"_tag": "SyncMessage.SyncMetadata", "createdAt": done.created_at}
    assert items == [{"_tag": "Some", "value": told}] * 2
    assert len(done.created_at) == 24
    stored_at = datetime.fromisoformat(done.created_at)
    assert before - timedelta(milliseconds=1) <= stored_at <= datetime.now(UTC)
