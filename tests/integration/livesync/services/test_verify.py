"""What ``verify_store`` finds, and that it finds nothing in what pushes have stored."""

from typing import Any

import pytest
from django.db import connections

from livesync.protocol.errors import StoreNotFoundError
from livesync.services import history
from livesync.services.verify import StoreChangedError, verify_store
from livesync.storage.database import DatabaseEngine
from tests.factories import make_chain, make_event, make_events
from tests.storage import ALIAS, STORE, execute, push

STRANGE_ARGS = [
    None,
    "null",
    '"\\ud83d"',
    '{"n":1e400,"n":-0.0,"big":123456789012345678901234567890}',
    '"\\u0000\u2028\U0001f469"',
    "[" * 512 + "]" * 512,
]


@pytest.fixture
def sound(engine: DatabaseEngine) -> DatabaseEngine:
    """An engine with one store of seven events, with gaps between the numbers."""
    push(engine, make_chain(1, 2, 3))
    push(engine, make_chain(10, 20_000, 20_001, 20_002, after=3))
    return engine


def break_event(seq_num: int, change: str, *values: Any) -> None:
    statement = f"UPDATE livesync_storedevent SET {change} WHERE seq_num = %s"
    execute(connections[ALIAS], statement, *values, seq_num)


def break_store(change: str) -> None:
    execute(connections[ALIAS], f"UPDATE livesync_store SET {change}")


def findings() -> list[tuple[int | None, str]]:
    return [(finding.seq_num, finding.text) for finding in verify_store(STORE)]


@pytest.mark.usefixtures("sound")
def test_what_pushes_have_stored_is_sound() -> None:
    assert findings() == []


def test_a_store_without_events_is_sound(engine: DatabaseEngine) -> None:
    push(engine, [])

    assert findings() == []


def test_whatever_javascript_sends_is_sound(engine: DatabaseEngine) -> None:
    push(engine, [make_event(n, name="é", args=a) for n, a in enumerate(STRANGE_ARGS, start=1)])

    assert findings() == []


def test_what_follows_after_a_reset_is_sound(sound: DatabaseEngine) -> None:
    sound.reset(STORE)
    push(sound, make_events(2))
    assert findings() == []

    while sound.purge(max_events=3):
        assert findings() == []

    assert findings() == []


@pytest.mark.usefixtures("sound")
def test_a_missing_event_breaks_chain_ordinals_and_counts() -> None:
    execute(connections[ALIAS], "DELETE FROM livesync_storedevent WHERE seq_num = 10")

    assert findings() == [
        (20_000, "continues 10, but follows 3"),
        (20_000, "has the ordinal 5, but follows 3"),
        (None, "the event count is 7, but the events make it 6"),
        (None, "the byte count is 147, but the events make it 126"),
    ]


@pytest.mark.parametrize(
    ("seq_num", "change", "expected"),
    [
        (1, "parent_seq_num = -1", {"continues -1, but follows 0", "cannot have the parent -1"}),
        (3, "parent_seq_num = 3", {"continues 3, but follows 2", "cannot have the parent 3"}),
        (10, "parent_seq_num = 2", {"continues 2, but follows 3"}),
        (3, 'args = \'{"text":"hello\'', {"has args that are not JSON"}),
        (3, "created_at = 'yesterday'", {"was created at 'yesterday', which is no time"}),
    ],
)
@pytest.mark.usefixtures("sound")
def test_a_broken_event_is_named(seq_num: int, change: str, expected: set[str]) -> None:
    break_event(seq_num, change)

    assert {text for number, text in findings() if number == seq_num} == expected


@pytest.mark.parametrize("args", ["", "{", "NaN", "1,2", "'a'", "\ufeff1"])
@pytest.mark.usefixtures("sound")
def test_args_that_are_not_json_are_found(args: str) -> None:
    break_event(3, "args = %s", args)

    assert (3, "has args that are not JSON") in findings()


@pytest.mark.usefixtures("sound")
def test_ordinals_that_jump_are_found() -> None:
    break_event(3, "ordinal = 30")

    assert findings() == [
        (3, "has the ordinal 30, but follows 2"),
        (10, "has the ordinal 4, but follows 30"),
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("head = 30000", "the head is 30000, but the events make it 20002"),
        ("event_count = 8", "the event count is 8, but the events make it 7"),
        ("byte_count = 0", "the byte count is 0, but the events make it 147"),
    ],
)
@pytest.mark.usefixtures("sound")
def test_a_row_that_says_something_else_than_the_events_is_found(change: str, text: str) -> None:
    break_store(change)

    assert findings() == [(None, text)]


@pytest.mark.usefixtures("sound")
def test_events_above_the_head_are_found() -> None:
    break_store("head = 20001")

    found = findings()

    assert (20_002, "lies above the head, which is 20001") in found
    assert (None, "the event count is 7, but the events make it 6") in found


@pytest.mark.usefixtures("sound")
def test_events_of_no_history_are_found() -> None:
    break_event(20_002, "generation = 2")

    assert (None, "1 events are of no history, and nothing will delete them") in findings()


def test_a_store_that_does_not_exist_cannot_be_verified(engine: DatabaseEngine) -> None:
    with pytest.raises(StoreNotFoundError):
        list(verify_store("missing"))


def test_what_is_pushed_meanwhile_is_no_fault(
    sound: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    headings = DatabaseEngine.headings
    seen: list[int] = []

    def push_first(engine: DatabaseEngine, *args: Any, **options: Any) -> Any:
        if not seen:
            push(engine, make_events(3, after=20_002))
        found = headings(engine, *args, **options)
        seen.extend(heading.seq_num for heading in found)
        return found

    monkeypatch.setattr(DatabaseEngine, "headings", push_first)

    assert findings() == []
    assert seen[-1] == 20_005


def test_a_reset_meanwhile_is_told_instead_of_false_findings(
    sound: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_SLICE_EVENTS", 2)
    headings = DatabaseEngine.headings

    def reset_first(engine: DatabaseEngine, *args: Any, **options: Any) -> Any:
        if options["start"] > 2:
            engine.reset(STORE)
            engine.purge(max_events=3)
        return headings(engine, *args, **options)

    monkeypatch.setattr(DatabaseEngine, "headings", reset_first)

    with pytest.raises(StoreChangedError):
        list(verify_store(STORE))


@pytest.mark.parametrize("size", [1, 3, 7, 8])
@pytest.mark.usefixtures("sound")
def test_pieces_of_any_size_make_the_same_walk(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_SLICE_EVENTS", size)
    assert findings() == []

    break_event(10, "parent_seq_num = 2")

    assert findings() == [(10, "continues 2, but follows 3")]


@pytest.mark.usefixtures("sound")
def test_large_events_are_read_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_PIECE_BYTES", 40)  # two events of 16 bytes of args
    sizes: list[int] = []
    events = DatabaseEngine.events

    def count(engine: DatabaseEngine, store: Any, seq_nums: list[int], **options: Any) -> Any:
        sizes.append(len(seq_nums))
        return events(engine, store, seq_nums, **options)

    monkeypatch.setattr(DatabaseEngine, "events", count)

    assert findings() == []
    assert sizes == [2, 2, 2, 1]
