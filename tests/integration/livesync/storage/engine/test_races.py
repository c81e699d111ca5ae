"""Real transactions that meet: on one store, at its first contact, in groups, at a reset."""

import pytest

from livesync.protocol.errors import ServerAheadError
from livesync.storage.engine import Append, Appended, Engine
from livesync.storage.files import group_commits
from tests.factories import make_events
from tests.storage import STORE, numbers, push, read, run_in_threads


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine a turn at a file may be long in coming."""
    monkeypatch.setattr(group_commits, "_BUSY_MS", 60_000)
    monkeypatch.setattr(group_commits, "_HELD_BUSY_MS", 60_000)


def test_of_two_batches_on_one_head_exactly_one_is_stored(engine: Engine) -> None:
    accepted: list[int] = []

    def append_twenty(number: int) -> None:
        head = 0
        while len(accepted) < 80:
            (outcome,) = engine.commit(
                [Append(STORE, None, make_events(2, after=head, client_id=str(number)))]
            )
            if isinstance(outcome, Appended):
                accepted.append(outcome.parent)
                head = outcome.head
            else:
                assert isinstance(outcome, ServerAheadError)
                assert outcome.expected > outcome.provided
                head = outcome.expected

    run_in_threads(4, append_twenty)

    assert sorted(accepted) == list(range(0, 2 * len(accepted), 2))
    assert numbers(engine) == list(range(1, 2 * len(accepted) + 1))
    assert read(engine).state.event_count == 2 * len(accepted)


def test_a_store_has_one_backend_id_whoever_meets_it_first(engine: Engine) -> None:
    told: dict[str, set[str]] = {f"store {number}": set() for number in range(50)}

    def meet(number: int) -> None:
        for name in told:
            told[name].add(push(engine, [], to=name).backend_id)
            told[name].add(read(engine, store_id=name).state.backend_id)

    run_in_threads(4, meet)

    assert [len(ids) for ids in told.values()] == [1] * 50
    assert len(set.union(*told.values())) == 50


def test_groups_that_share_stores_do_not_block_each_other_for_ever(engine: Engine) -> None:
    names = ["a", "b", "c", "new 1", "new 2"]
    for name in names[:3]:
        push(engine, [], to=name)

    def commit(number: int) -> None:
        mine = names if number % 2 else names[::-1]
        for _ in range(20):
            states = engine.states(names)
            heads = {name: state.head for name, state in states.items()}
            for outcome in engine.commit(
                [Append(name, None, make_events(1, after=heads.get(name, 0))) for name in mine]
            ):
                assert isinstance(outcome, Appended | ServerAheadError)

    run_in_threads(4, commit)

    for name in names:
        assert numbers(engine, name) == list(range(1, engine.states([name])[name].head + 1))


def test_a_reset_and_pushes_do_not_mix_histories(engine: Engine) -> None:
    push(engine, make_events(1))

    def work(number: int) -> None:
        for _ in range(20):
            if number == 0:
                engine.reset(STORE)
                continue
            state = engine.states([STORE])[STORE]
            (outcome,) = engine.commit(
                [Append(STORE, state.backend_id, make_events(2, after=state.head))]
            )
            if isinstance(outcome, Appended):
                assert (outcome.backend_id, outcome.parent) == (state.backend_id, state.head)

    run_in_threads(3, work)

    state = read(engine).state
    assert numbers(engine) == list(range(1, state.head + 1))
    assert state.event_count == state.head
