"""What commands and the admin see of stores and events."""

import pytest
from django.db import connections

from livesync.storage.engine import Engine, Heading
from tests.factories import make_chain, make_event, make_events
from tests.storage import ALIAS, STORE, central, details, execute, push

WHOLE = 1_000_000


def down(engine: Engine, start: int, max_events: int = 100) -> list[int]:
    store = details(engine)
    found = engine.headings(store, start=start, newest_first=True, max_events=max_events)
    return [heading.seq_num for heading in found]


def up(engine: Engine, start: int, max_events: int = 100) -> list[int]:
    store = details(engine)
    found = engine.headings(store, start=start, newest_first=False, max_events=max_events)
    return [heading.seq_num for heading in found]


def test_a_store_is_known_with_all_its_counts(engine: Engine) -> None:
    push(engine, [make_event(1, name="é", args='"é"'), make_event(2, name="ab", args=None)])
    appended = push(engine, make_events(1, after=2, name="c", args="null"))

    store = details(engine)

    assert (store.store_id, store.backend_id) == (STORE, appended.backend_id)
    assert (store.head, store.event_count, store.byte_count) == (3, 3, 2 + 4 + 2 + 1 + 4)
    assert (store.generation, store.oldest_generation) == (1, 1)
    assert store.last_push_at is not None
    assert store.created_at <= store.last_push_at


def test_a_store_that_was_only_pulled_has_never_been_pushed_to(engine: Engine) -> None:
    push(engine, [])

    assert details(engine).last_push_at is None


def test_a_store_that_does_not_exist_is_none(engine: Engine) -> None:
    assert engine.inspect("missing") is None


def test_stores_are_listed_from_one_to_the_next(engine: Engine) -> None:
    for store_id in ("b", "c", "a", "d"):
        push(engine, [], to=store_id)

    first = list(engine.store_ids(after="", max_stores=3))
    rest = list(engine.store_ids(after=first[-1], max_stores=3))

    assert (first, rest) == (["a", "b", "c"], ["d"])
    assert list(engine.store_ids(after="d", max_stores=3)) == []


def test_headings_go_both_ways_and_jump_gaps(engine: Engine) -> None:
    push(engine, make_chain(1, 5, 20_000, 20_001))

    assert down(engine, 20_001) == [20_001, 20_000, 5, 1]
    assert down(engine, 19_999) == [5, 1]
    assert down(engine, 0) == []
    assert up(engine, 0) == [1, 5, 20_000, 20_001]
    assert up(engine, 6) == [20_000, 20_001]
    assert up(engine, 20_002) == []
    assert (down(engine, 20_001, 2), up(engine, 0, 2)) == ([20_001, 20_000], [1, 5])


def test_a_heading_tells_the_bytes_of_the_args(engine: Engine) -> None:
    push(engine, [make_event(1, name="n", args='"é€"', client_id="c"), make_event(2, args=None)])

    found = engine.headings(details(engine), start=0, newest_first=False, max_events=10)

    assert found[0] == Heading(1, "n", "c", 7)
    assert found[1].args_bytes == 0


def test_events_are_given_with_the_beginning_of_their_args(engine: Engine) -> None:
    push(
        engine,
        [
            make_event(1, args='"€' + "x" * 5_000 + '"'),
            make_event(2, args=None),
            make_event(3, args="null", name="n", client_id="c", session_id="s"),
        ],
    )

    first, second, third = engine.events(details(engine), [3, 1, 2], max_args_chars=4)

    assert (first.args, first.args_bytes) == ('"€xx', 5_005)
    assert (second.args, second.args_bytes) == (None, 0)
    assert (third.seq_num, third.parent_seq_num, third.ordinal) == (3, 2, 3)
    assert (third.name, third.args, third.client_id, third.session_id) == ("n", "null", "c", "s")
    assert third.created_at.endswith("Z")


def test_numbers_that_no_event_has_give_none(engine: Engine) -> None:
    push(engine, make_events(2))

    assert engine.events(details(engine), [], max_args_chars=WHOLE) == []
    assert len(engine.events(details(engine), [2, 9], max_args_chars=WHOLE)) == 1


def test_only_the_present_history_is_seen(engine: Engine) -> None:
    push(engine, make_events(3))
    former = details(engine)
    engine.reset(STORE)
    push(engine, make_events(1, name="new"))

    assert up(engine, 0) == [1]
    assert [e.name for e in engine.events(details(engine), [1, 2], max_args_chars=9)] == ["new"]
    # who still looks at the former one is not shown the new one for it
    assert {e.name for e in engine.events(former, [1, 2], max_args_chars=9)} == {"noted"}


def test_events_that_wait_for_their_deletion_are_counted(engine: Engine) -> None:
    push(engine, make_events(3))
    engine.reset(STORE)
    push(engine, make_events(1))
    assert (engine.ended_events(details(engine)), engine.lost_events(details(engine))) == (3, 0)

    while engine.purge(max_events=2):
        pass

    assert (engine.ended_events(details(engine)), engine.lost_events(details(engine))) == (0, 0)


@central
@pytest.mark.parametrize("generation", [0, 3])
def test_events_of_no_history_are_counted(engine: Engine, generation: int) -> None:
    push(engine, make_events(3))
    engine.reset(STORE)
    while engine.purge(max_events=10):
        pass
    push(engine, make_events(2))

    execute(
        connections[ALIAS],
        "UPDATE livesync_storedevent SET generation = %s WHERE seq_num = 2",
        generation,
    )

    assert engine.lost_events(details(engine)) == 1
