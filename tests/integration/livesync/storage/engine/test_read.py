"""A read is a contiguous piece of one history, with its state of the same instant."""

import json
import threading
from itertools import chain

import pytest

from livesync.protocol.events import MAX_SEQ_NUM
from livesync.storage.engine import Engine, Slice
from tests.factories import make_chain, make_event, make_events
from tests.storage import MANY, STORE, central, execute, own_connection, push, read, run_in_threads


def test_there_is_no_store_before_somebody_speaks_of_it(engine: Engine) -> None:
    assert engine.read(STORE, 0, **MANY) is None
    assert engine.states([STORE]) == {}


def test_events_follow_the_cursor_wherever_it_is(engine: Engine) -> None:
    push(engine, make_chain(5, 6, 20_000))

    found = {after: list(read(engine, after).seq_nums) for after in (0, 4, 5, 6, 7, 19_999)}

    assert found == {
        0: [5, 6, 20_000],
        4: [5, 6, 20_000],
        5: [6, 20_000],
        6: [20_000],
        7: [20_000],
        19_999: [20_000],
    }


@pytest.mark.parametrize("after", [3, 4, MAX_SEQ_NUM])
def test_at_or_behind_the_head_there_is_nothing(engine: Engine, after: int) -> None:
    push(engine, make_events(3))

    found = read(engine, after)

    assert (found.seq_nums, found.events, found.remaining) == ([], [], 0)
    assert (found.state.head, found.state.event_count) == (3, 3)


def test_events_are_counted_to_the_limit_and_the_rest_is_told(engine: Engine) -> None:
    push(engine, make_chain(*range(10, 110, 10)))

    found = read(engine, 20, max_events=3)

    assert (list(found.seq_nums), found.remaining) == ([30, 40, 50], 5)
    assert len(found.events) == 3


@pytest.mark.parametrize("letters", ["x" * 1_000, "\U0001f600" * 250])
def test_bytes_are_counted_and_pieces_join_without_a_gap(engine: Engine, letters: str) -> None:
    push(engine, make_events(30, args=json.dumps(letters, ensure_ascii=False)))
    after, pieces = 0, []

    while (found := read(engine, after, max_bytes=5_000)).events:
        assert len("".join(found.events).encode()) <= 5_000
        assert found.remaining == 30 - found.seq_nums[-1]
        pieces.append(list(found.seq_nums))
        after = found.seq_nums[-1]

    assert list(chain.from_iterable(pieces)) == list(range(1, 31))
    assert max(map(len, pieces)) in (3, 4)


@pytest.mark.parametrize("position", [1, 2, 3])
def test_an_event_larger_than_the_limit_comes_alone(engine: Engine, position: int) -> None:
    push(engine, make_events(position - 1))
    large = make_event(position, args=json.dumps("x" * 20_000))
    push(engine, [large, *make_events(2, after=position)])

    found = read(engine, position - 1, max_bytes=10_000)

    assert (list(found.seq_nums), found.remaining) == ([position], 2)
    assert list(read(engine, 0, max_bytes=10_000).seq_nums)[-1] == max(position - 1, 1)


def test_the_state_is_of_the_same_instant_as_the_events(engine: Engine) -> None:
    done = push(engine, [])
    stop = threading.Event()
    torn: list[Slice] = []

    def work(number: int) -> None:
        if number == 0:
            for head in range(0, 120, 2):
                push(engine, make_events(2, after=head))
            stop.set()
        while not stop.is_set():
            found = read(engine)
            last = found.seq_nums[-1] if found.seq_nums else 0
            if not found.state.head == found.state.event_count == last:
                torn.append(found)

    run_in_threads(3, work)

    assert torn == []
    assert read(engine).state.backend_id == done.backend_id


def test_states_are_those_of_the_stores_that_exist(engine: Engine) -> None:
    a, b = push(engine, make_chain(7), to="a"), push(engine, [], to="b")

    assert engine.states(["a", "b", "missing", "A"]) == {
        "a": (a.backend_id, 7, 1),
        "b": (b.backend_id, 0, 0),
    }
    assert engine.states([]) == {}


@central
def test_what_is_not_committed_is_not_there(engine: Engine) -> None:
    push(engine, make_events(2))
    before = read(engine)

    with own_connection() as other:
        execute(other, "BEGIN")
        execute(other, "UPDATE livesync_storedevent SET seq_num = seq_num + 10, ordinal = 7")
        execute(other, "UPDATE livesync_store SET head = 12, event_count = 9")
        assert read(engine) == before
        execute(other, "COMMIT")

    assert list(read(engine).seq_nums) == [11, 12]
