"""Several processes use the files of one machine."""

from livesync.protocol.errors import ServerAheadError
from livesync.storage.engine import Append, Appended
from livesync.storage.routed import RoutedEngine
from tests.factories import make_events
from tests.storage import STORE, details, numbers, push, run_in_threads
from tests.store_files import another, on_file


def test_two_processes_that_meet_a_new_store_agree_on_its_history(engine: RoutedEngine) -> None:
    engines = [another(engine) for _ in range(4)]
    names = [f"store {number}" for number in range(20)]
    told: dict[str, set[str]] = {name: set() for name in names}

    def meet(number: int) -> None:
        mine = names if number % 2 else names[::-1]
        for outcome in engines[number].commit([Append(name, None, ()) for name in mine]):
            assert isinstance(outcome, Appended)
            told[outcome.store_id].add(outcome.backend_id)

    run_in_threads(len(engines), meet)
    for other in engines:
        other.stop()

    assert [len(ids) for ids in told.values()] == [1] * len(names)
    assert list(engine.store_ids(after="", max_stores=100)) == sorted(names)


def test_processes_that_push_to_one_store_take_turns(engine: RoutedEngine) -> None:
    engines = [another(engine) for _ in range(3)]
    accepted: list[int] = []

    def append(number: int) -> None:
        head = 0
        while len(accepted) < 60:
            (outcome,) = engines[number].commit([Append(STORE, None, make_events(1, after=head))])
            if isinstance(outcome, Appended):
                accepted.append(outcome.parent)
                head = outcome.head
            elif isinstance(outcome, ServerAheadError):
                head = outcome.expected

    run_in_threads(len(engines), append)
    for other in engines:
        other.stop()

    assert sorted(accepted) == list(range(len(accepted)))
    assert numbers(engine) == list(range(1, len(accepted) + 1))


def test_what_a_reset_leaves_is_found_by_another_process(engine: RoutedEngine) -> None:
    push(engine, make_events(5))
    engine.reset(STORE)
    push(engine, make_events(2))
    other = another(engine)
    assert other.has_ended_events()

    deleted = [other.purge(max_events=3) for _ in range(3)]

    assert deleted == [3, 2, 0]
    assert not engine.has_ended_events()
    assert details(engine).oldest_generation == 2
    tables = on_file(engine, "SELECT name FROM sqlite_schema WHERE name GLOB 'livesync_ended*'")
    assert tables == []
    assert numbers(engine) == [1, 2]
    other.stop()
