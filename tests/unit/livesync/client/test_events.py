"""Numbering, following and comparing events, without any server."""

import json

import pytest
from msgspec import Raw

from groundwork.strict_json import JsonError
from livesync.client import ABSENT, Draft
from livesync.client.events import (
    Author,
    GapError,
    follow,
    is_same_event,
    number_drafts,
    open_draft,
)
from livesync.protocol.answers import PulledEvent, PulledPage
from livesync.protocol.errors import BackendIdMismatchError, InvalidBatchError
from livesync.protocol.events import Cursor
from livesync.protocol.requests import BATCH_MAX_BYTES, BATCH_MAX_EVENTS
from tests.factories import make_chain, make_event

BACKEND = "V1StGXR8_Z5jdHi6B-myT"
AUTHOR = Author("client-1", "session-1")


def pulled(*numbers: int, after: int) -> PulledPage:
    events = [
        PulledEvent(e.name, e.args, e.seq_num, e.parent_seq_num, "c", "s", BACKEND, None)
        for e in make_chain(*numbers, after=after)
    ]
    return PulledPage(BACKEND, events, 0)


def at(number: int) -> Cursor:
    return Cursor(BACKEND, number)


def test_drafts_become_a_chain() -> None:
    drafts = [open_draft(Draft("a", 1)), open_draft(("b", None)), open_draft(("c",))]

    events = number_drafts(drafts, 7, AUTHOR)

    assert [(e.name, e.args, e.seq_num, e.parent_seq_num) for e in events] == [
        ("a", "1", 8, 7),
        ("b", "null", 9, 8),
        ("c", None, 10, 9),
    ]
    assert {(e.client_id, e.session_id) for e in events} == {AUTHOR}


def test_a_batch_is_cut_by_count_and_by_bytes() -> None:
    many = [("x", "1")] * (BATCH_MAX_EVENTS + 1)
    large = [("x", json.dumps("x" * (BATCH_MAX_BYTES // 3)))] * 4

    assert len(number_drafts(many, 0, AUTHOR)) == BATCH_MAX_EVENTS
    assert len(number_drafts(large, 0, AUTHOR)) == 2


def test_an_event_at_the_limit_goes_alone() -> None:
    largest = BATCH_MAX_BYTES
    while True:
        try:
            draft = open_draft(("x", "x" * largest))
            break
        except InvalidBatchError:
            largest -= 1_000

    assert largest > BATCH_MAX_BYTES - 20_000
    assert len(number_drafts([draft, draft], 0, AUTHOR)) == 1


@pytest.mark.parametrize("text", ["", "{", "nope", '{"a":1}x', "NaN"])
def test_a_raw_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(JsonError):
        open_draft(("x", Raw(text.encode())))


@pytest.mark.parametrize("args", [float("nan"), {1, 2}, b"x"])
def test_args_that_json_has_no_form_for_are_refused(args: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        open_draft(("x", args))


def test_args_that_are_nested_too_deeply_are_refused() -> None:
    with pytest.raises(InvalidBatchError, match="deep"):
        open_draft(("x", Raw(b"[" * 600 + b"]" * 600)))


def test_absent_args_say_what_they_are() -> None:
    assert repr(Draft("x")) == f"Draft(name='x', args={ABSENT!r})"


@pytest.mark.parametrize(
    ("cursor", "page", "numbers"),
    [
        (None, pulled(1, 2, after=0), [1, 2]),
        (at(2), pulled(3, 20_000, after=2), [3, 20_000]),
        (at(2), pulled(1, 2, 3, after=0), [3]),
        (at(3), pulled(1, 2, 3, after=0), []),
        (at(5), pulled(4, 20, after=0)._replace(events=pulled(20, after=4).events), [20]),
    ],
)
def test_each_event_is_followed_once(
    cursor: Cursor | None, page: PulledPage, numbers: list[int]
) -> None:
    followed = follow(cursor, page)

    assert [event.seq_num for event in followed.events] == numbers
    assert followed.cursor == at(numbers[-1] if numbers else cursor.seq_num if cursor else 0)


@pytest.mark.parametrize(
    ("cursor", "page"),
    [
        (None, pulled(2, after=1)),
        (at(2), pulled(4, after=3)),
        (at(2), PulledPage(BACKEND, [*pulled(3, after=2).events, *pulled(5, after=4).events], 0)),
        (at(2), PulledPage(BACKEND, [*pulled(3, after=2).events, *pulled(3, after=2).events], 0)),
        (None, pulled(1, after=1)),
        (None, PulledPage(BACKEND, pulled(-3, after=-4).events + pulled(2, after=1).events, 0)),
    ],
)
def test_a_gap_is_an_error(cursor: Cursor | None, page: PulledPage) -> None:
    with pytest.raises(GapError):
        follow(cursor, page)


def test_a_page_of_another_history_is_an_error() -> None:
    with pytest.raises(BackendIdMismatchError):
        follow(Cursor("another", 2), pulled(3, after=2))


@pytest.mark.parametrize(
    ("stored", "is_same"),
    [
        ({}, True),
        ({"args": '{ "text" : "hello" }'}, True),
        ({"args": '{"text":"other"}'}, False),
        ({"args": None}, False),
        ({"name": "other"}, False),
        ({"client_id": "other"}, False),
        ({"session_id": "other"}, False),
        ({"parent": 3}, False),
    ],
)
def test_an_event_is_known_again(stored: dict[str, object], is_same: bool) -> None:
    assert is_same_event(make_event(7, **stored), make_event(7)) is is_same  # type: ignore[arg-type]


def test_absent_args_may_come_back_as_null() -> None:
    assert is_same_event(make_event(7, args="null"), make_event(7, args=None))
