"""A group commits together, and each append of it has its own outcome."""

from livesync.protocol.errors import BackendIdMismatchError, ServerAheadError
from livesync.storage.engine import Append, Appended, Engine
from tests.factories import make_events
from tests.storage import STORE, numbers, push


def test_each_append_of_a_group_has_its_own_outcome(engine: Engine) -> None:
    push(engine, make_events(1), to="b")

    outcomes = engine.commit(
        [
            Append("a", None, make_events(2)),
            Append("b", None, make_events(2)),
            Append("c", "another history", make_events(1)),
            Append("b", None, make_events(1, after=1)),
            Append("a", None, make_events(1, after=2)),
        ]
    )

    a, ahead, mismatch, b, a_again = outcomes
    assert isinstance(ahead, ServerAheadError)
    assert isinstance(mismatch, BackendIdMismatchError)
    assert isinstance(a, Appended)
    assert isinstance(b, Appended)
    assert isinstance(a_again, Appended)
    assert (a.head, b.head, a_again.head) == (2, 2, 3)
    assert [numbers(engine, name) for name in "abc"] == [[1, 2, 3], [1, 2], []]


def test_two_batches_on_one_head_are_one_too_many(engine: Engine) -> None:
    first, second = engine.commit([Append(STORE, None, make_events(2))] * 2)

    assert isinstance(first, Appended)
    assert isinstance(second, ServerAheadError)
    assert (second.expected, second.provided) == (2, 0)
    assert numbers(engine) == [1, 2]


def test_five_hundred_stores_commit_together(engine: Engine) -> None:
    names = [f"store {number}" for number in range(500)]

    outcomes = engine.commit([Append(name, None, make_events(1)) for name in names])

    assert [outcome.head for outcome in outcomes if isinstance(outcome, Appended)] == [1] * 500
    assert len({state.backend_id for state in engine.states(names).values()}) == 500


def test_a_group_of_refusals_only_is_no_error(engine: Engine) -> None:
    outcomes = engine.commit([Append(STORE, None, make_events(1, after=5))] * 2)

    assert [type(outcome) for outcome in outcomes] == [ServerAheadError] * 2
