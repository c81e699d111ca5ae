"""The remote adapter's rules of sending, without a socket: time and frames are handed in."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from chatstate.adapters import exchange as module
from chatstate.adapters.exchange import Clock, Done, Exchange
from chatstate.adapters.frames import Answer, Welcome
from chatstate.adapters.transport import NoAnswerError, Reply
from chatstate.protocol.errors import (
    BusyError,
    ConflictError,
    FrozenError,
    TooLargeError,
    UnavailableError,
)
from chatstate.protocol.operations import Dequeue, Get, Operation, Set, Subscribe

WELCOME = Welcome(namespace="bot")


class Time:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds

    def wall_ms(self) -> int:
        return round(self.now_s * 1_000)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def exchange(time: Time) -> Exchange:
    exchange = Exchange(Clock(lambda: time.now_s, time.wall_ms), lambda: 0.5)
    exchange.linked(WELCOME)
    return exchange


def get(key: str = "key") -> Operation:
    return Get(key=key)


def sent(exchange: Exchange) -> list[list[dict[str, Any]]]:
    """The operations of the frames that are to be sent now."""
    ready, done = exchange.take_frames()
    assert done == []
    return [json.loads(frame) for frame in ready]


def keys(exchange: Exchange) -> list[str]:
    return [operation["key"] for frame in sent(exchange) for operation in frame]


def test_what_is_asked_together_leaves_in_one_frame(exchange: Exchange) -> None:
    ids = [exchange.add(get(key)) for key in ("a", "b")]

    (frame,) = sent(exchange)

    assert [(operation["id"], operation["key"]) for operation in frame] == [
        (ids[0], "a"),
        (ids[1], "b"),
    ]
    assert sent(exchange) == []


def test_without_a_link_nothing_is_sent(exchange: Exchange) -> None:
    exchange.lost("gone")
    exchange.add(get("a"))

    assert sent(exchange) == []
    assert not exchange.can_send

    exchange.linked(WELCOME)
    assert exchange.can_send
    assert keys(exchange) == ["a"]


def test_an_answer_comes_with_the_time_of_the_first_sending(exchange: Exchange, time: Time) -> None:
    call_id = exchange.add(get())
    time.pass_s(1)
    sent_at_ms = time.wall_ms()
    sent(exchange)
    time.pass_s(1)

    assert exchange.receive([Answer(call_id, Raw(b'{"a":1}'))]) == [
        Done(call_id, Reply('{"a":1}', sent_at_ms))
    ]
    assert len(exchange) == 0


def test_answers_may_come_in_any_order(exchange: Exchange) -> None:
    first, second = exchange.add(get("a")), exchange.add(get("b"))
    sent(exchange)

    done = exchange.receive([Answer(second, Raw(b"2")), Answer(first, Raw(b"1"))])

    assert [(call_id, reply.text) for call_id, reply in done] == [(second, "2"), (first, "1")]


def test_an_answer_to_nothing_is_dropped(exchange: Exchange) -> None:
    call_id = exchange.add(get())
    sent(exchange)

    assert exchange.receive([Answer(99, Raw(b"1"))]) == []
    assert len(exchange.receive([Answer(call_id, Raw(b"1")), Answer(call_id, Raw(b"2"))])) == 1


def test_pieces_of_a_list_are_put_together(exchange: Exchange) -> None:
    call_id = exchange.add(get())
    sent(exchange)

    assert exchange.receive([Answer(call_id, items=[Raw(b"1"), Raw(b"2")], more=True)]) == []
    (done,) = exchange.receive([Answer(call_id, items=[Raw(b"3")])])

    assert isinstance(done.outcome, Reply)
    assert done.outcome.text == "[1,2,3]"


def test_an_empty_list_is_one(exchange: Exchange) -> None:
    call_id = exchange.add(get())
    sent(exchange)

    (done,) = exchange.receive([Answer(call_id, items=[])])

    assert isinstance(done.outcome, Reply)
    assert done.outcome.text == "[]"


def test_after_a_cut_the_same_is_sent_again_in_its_order(exchange: Exchange) -> None:
    exchange.add(Dequeue(thread_id="a", request_id="once"))
    answered = exchange.add(get("b"))
    (before,) = sent(exchange)
    exchange.receive([Answer(answered, Raw(b"1"))])
    exchange.add(get("c"))

    exchange.lost("gone")
    exchange.linked(WELCOME)
    (after,) = sent(exchange)

    assert after[0] == before[0]
    assert after[0]["requestId"] == "once"
    assert [operation["op"] for operation in after] == ["dequeue", "get"]


def test_what_came_of_a_list_before_the_cut_counts_no_more(exchange: Exchange) -> None:
    call_id = exchange.add(get())
    sent(exchange)
    exchange.receive([Answer(call_id, items=[Raw(b"1")], more=True)])
    exchange.lost("gone")
    exchange.linked(WELCOME)
    sent(exchange)

    (done,) = exchange.receive([Answer(call_id, items=[Raw(b"1"), Raw(b"2")])])

    assert isinstance(done.outcome, Reply)
    assert done.outcome.text == "[1,2]"


def test_an_answer_of_the_lost_link_is_not_one_of_the_next(exchange: Exchange) -> None:
    call_id = exchange.add(get())
    sent(exchange)
    exchange.lost("gone")

    assert exchange.receive([Answer(call_id, Raw(b"1"))]) == []
    assert len(exchange) == 1


@pytest.mark.parametrize("error", [BusyError(), FrozenError("eu"), UnavailableError()])
def test_what_is_refused_for_the_moment_is_sent_again_later(
    exchange: Exchange, time: Time, error: Exception
) -> None:
    call_id = exchange.add(Dequeue(thread_id="a", request_id="once"))
    (before,) = sent(exchange)

    assert exchange.receive([Answer(call_id, error=error)]) == []  # type: ignore[arg-type]
    assert exchange.sweep() == []
    assert sent(exchange) == []
    time.pass_s(0.06)
    assert exchange.sweep() == []
    assert sent(exchange) == [before]


def test_what_rests_goes_on_resting_through_a_cut(exchange: Exchange, time: Time) -> None:
    call_id = exchange.add(get())
    sent(exchange)
    exchange.receive([Answer(call_id, error=BusyError())])
    exchange.lost("gone")
    exchange.linked(WELCOME)

    assert sent(exchange) == []
    time.pass_s(0.06)
    exchange.sweep()
    assert len(sent(exchange)) == 1


def test_what_is_refused_for_good_is_done(exchange: Exchange) -> None:
    call_id = exchange.add(get())
    sent(exchange)
    error = ConflictError()

    assert exchange.receive([Answer(call_id, error=error)]) == [Done(call_id, error)]


def test_the_last_refusal_is_told_when_the_time_is_up(exchange: Exchange, time: Time) -> None:
    call_id = exchange.add(get())
    sent(exchange)
    error = BusyError()
    exchange.receive([Answer(call_id, error=error)])
    time.pass_s(45)

    assert exchange.sweep() == [Done(call_id, error)]
    assert sent(exchange) == []


def test_repeating_ends_45_s_after_the_first_sending(exchange: Exchange, time: Time) -> None:
    call_id = exchange.add(get())
    time.pass_s(20)
    sent(exchange)
    time.pass_s(44)
    assert exchange.sweep() == []
    time.pass_s(1)

    (done,) = exchange.sweep()

    assert done.id == call_id
    assert isinstance(done.outcome, NoAnswerError)


def test_what_cannot_be_sent_is_given_up_and_says_why(exchange: Exchange, time: Time) -> None:
    exchange.lost("the cable is out")
    exchange.add(get())
    time.pass_s(30)

    (done,) = exchange.sweep()

    assert str(done.outcome) == "get got no answer in time: the cable is out"


def test_a_time_of_its_own_counts_from_the_call(exchange: Exchange, time: Time) -> None:
    call_id = exchange.add(get(), timeout_s=8)
    time.pass_s(5)
    sent(exchange)
    time.pass_s(3)

    assert [done.id for done in exchange.sweep()] == [call_id]


def test_what_nobody_waits_for_is_not_sent(exchange: Exchange) -> None:
    call_id = exchange.add(get("a"))
    exchange.add(get("b"))
    exchange.abandon(call_id)

    assert keys(exchange) == ["b"]


def test_what_was_sent_is_settled_though_nobody_waits(exchange: Exchange) -> None:
    call_id = exchange.add(get("a"))
    sent(exchange)
    exchange.abandon(call_id)
    exchange.lost("gone")
    exchange.linked(WELCOME)

    assert keys(exchange) == ["a"]


def test_a_frame_holds_no_more_than_the_server_takes(exchange: Exchange) -> None:
    exchange.linked(Welcome(namespace="bot", max_operations=2))
    for key in "abcde":
        exchange.add(get(key))

    assert [len(frame) for frame in sent(exchange)] == [2, 2, 1]


def test_a_frame_stays_below_its_bytes(exchange: Exchange) -> None:
    value = Raw(b'"' + b"x" * 400_000 + b'"')
    for key in "abc":
        exchange.add(Set(key=key, value=value))

    ready, _ = exchange.take_frames()

    assert [len(json.loads(frame)) for frame in ready] == [2, 1]
    assert all(len(frame) <= module.FRAME_MAX_BYTES for frame in ready)


def test_a_large_operation_goes_alone(exchange: Exchange) -> None:
    exchange.add(get("a"))
    exchange.add(Set(key="b", value=Raw(b'"' + b"x" * 1_010_000 + b'"')))
    exchange.add(get("c"))

    assert [len(frame) for frame in sent(exchange)] == [1, 1, 1]


def test_what_no_frame_can_hold_is_refused_alone(exchange: Exchange) -> None:
    exchange.add(get("a"))
    exchange.add(Set(key="b", value=Raw(b'"' + b"x" * 1_100_000 + b'"')))
    exchange.add(Subscribe(thread_id="x" * 1_100_000))

    ready, done = exchange.take_frames()

    assert len(ready) == 1
    refused = [(each.id, type(each.outcome), getattr(each.outcome, "field", "")) for each in done]
    assert refused == [(1, TooLargeError, "value"), (2, TooLargeError, "threadId")]


def test_no_more_are_under_way_than_the_server_lets_wait(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_FLIGHT_MAX", 2)
    ids = [exchange.add(get(key)) for key in "abc"]

    assert keys(exchange) == ["a", "b"]
    assert not exchange.can_send
    exchange.receive([Answer(ids[0], Raw(b"1"))])
    assert exchange.can_send
    assert keys(exchange) == ["c"]


def test_what_waits_is_bounded(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(msgspec.json.encode(get("a")))
    monkeypatch.setattr(module, "PENDING_MAX_BYTES", 2 * size + 1)
    first = exchange.add(get("a"))
    exchange.add(get("b"))
    with pytest.raises(BusyError):
        exchange.add(get("c"))

    sent(exchange)
    exchange.receive([Answer(first, Raw(b"1"))])
    exchange.add(get("d"))

    assert keys(exchange) == ["d"]
