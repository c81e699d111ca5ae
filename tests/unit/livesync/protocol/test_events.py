"""What sequence numbers, cursors and names may be."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesync.protocol.errors import InvalidBatchError, InvalidCursorError
from livesync.protocol.events import (
    MAX_SEQ_NUM,
    Cursor,
    Event,
    check_chain,
    check_cursor,
    check_text,
)
from tests.factories import make_chain, make_event, make_events

numbers = st.integers(-3, 8)
batches = st.lists(st.tuples(numbers, numbers), max_size=4).map(
    lambda pairs: [make_event(seq_num, parent=parent) for seq_num, parent in pairs]
)


def is_chain(batch: list[Event]) -> bool:
    """The rule as the wire document words it."""
    follows = all(event.parent_seq_num == before.seq_num for before, event in pairwise(batch))
    return follows and all(0 <= event.parent_seq_num < event.seq_num for event in batch)


@given(batches)
def test_a_batch_is_accepted_exactly_when_it_is_a_chain(batch: list[Event]) -> None:
    if is_chain(batch):
        check_chain(batch)
    else:
        with pytest.raises(InvalidBatchError, match="invalid batch"):
            check_chain(batch)


@given(st.lists(st.integers(1, MAX_SEQ_NUM), unique=True, max_size=6).map(sorted))
def test_every_ascending_row_of_numbers_is_a_chain(ascending: list[int]) -> None:
    check_chain(make_chain(*ascending))


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param(make_chain(1, 3), id="a gap inside"),
        pytest.param(make_chain(20_000, 20_001), id="a jump from 0"),
        pytest.param(make_chain(MAX_SEQ_NUM), id="the last number there is"),
        pytest.param([], id="nothing"),
    ],
)
def test_gaps_are_legal(batch: list[Event]) -> None:
    check_chain(batch)


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param([make_event(1), make_event(2, parent=0)], id="the second has another parent"),
        pytest.param([make_event(5), make_event(3, parent=2)], id="descending"),
        pytest.param([make_event(1), make_event(1)], id="a number twice"),
        pytest.param([make_event(1), make_event(1, parent=1)], id="its own parent"),
        pytest.param([make_event(0)], id="number 0"),
        pytest.param([make_event(-1)], id="a negative number"),
        pytest.param([make_event(1, parent=-1)], id="a negative parent"),
        pytest.param([make_event(2**53, parent=1)], id="above what JavaScript holds"),
        pytest.param([*make_events(19), make_event(20, parent=18)], id="the last one of many"),
    ],
)
def test_what_is_no_chain_is_refused(batch: list[Event]) -> None:
    with pytest.raises(InvalidBatchError, match="invalid batch"):
        check_chain(batch)


@pytest.mark.parametrize(("seq_num", "is_usable"), [(-1, False), (0, True), (MAX_SEQ_NUM, True)])
def test_a_cursor_starts_at_nothing_seen(seq_num: int, is_usable: bool) -> None:
    cursor = Cursor("id", seq_num)

    if is_usable:
        check_cursor(cursor)
    else:
        with pytest.raises(InvalidCursorError, match="below 0"):
            check_cursor(cursor)


@pytest.mark.parametrize("text", ["", "a" * 16, "é" * 8, "\U0001f600" * 4, "a\x1eb\n\u2028"])
def test_a_name_may_be_any_text_up_to_its_limit_in_bytes(text: str) -> None:
    check_text("name", text, max_bytes=16)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a" * 17, "name has 17 bytes, at most 16"),
        ("é" * 9, "name has 18 bytes, at most 16"),
        ("a\0b", "name holds a NUL character"),
        ("\ud83d", "name holds a lone surrogate"),
    ],
)
def test_a_name_that_no_database_can_keep_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidBatchError, match=reason):
        check_text("name", text, max_bytes=16)
