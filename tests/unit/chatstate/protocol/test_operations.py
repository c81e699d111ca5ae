"""What an operation may hold."""

import pytest
from msgspec import Raw

from chatstate.protocol.errors import ChatstateError, InvalidError, TooLargeError
from chatstate.protocol.operations import (
    MAX_TTL_MS,
    OPERATIONS,
    AcquireLock,
    AppendToList,
    Enqueue,
    Get,
    Limits,
    Operation,
    Set,
    SetIfNotExists,
    Subscribe,
    key_bytes,
    whole_ttl_ms,
)

LIMITS = Limits()


def text(value: str) -> Raw:
    return Raw(value.encode())


def enqueue(**members: float) -> Enqueue:
    given = {"enqueued_at": 0, "expires_at": 1, "max_size": 10} | members
    return Enqueue(thread_id="t", message=text("{}"), **given)  # type: ignore[arg-type]


def refusal(operation: Operation) -> ChatstateError:
    with pytest.raises(ChatstateError) as caught:
        operation.check(LIMITS)
    return caught.value


@pytest.mark.parametrize("key", ["k", "k" * 1_024, "é" * 512, "😀" * 256, "\x00", "\ud83d", " "])
def test_a_key_is_any_text_of_1_to_1024_bytes(key: str) -> None:
    Get(key=key).check(LIMITS)
    Subscribe(thread_id=key).check(LIMITS)


@pytest.mark.parametrize("key", ["", "k" * 1_025, "é" * 513, "😀" * 257])
def test_a_key_of_no_or_too_many_bytes_is_refused(key: str) -> None:
    assert refusal(Get(key=key)).field == "key"
    assert refusal(Subscribe(thread_id=key)).field == "threadId"


def test_keys_that_differ_are_stored_as_bytes_that_differ() -> None:
    keys = ["a", "A", "a ", "é", "e\u0301", "\ud83d", "\ufffd", "a\x00"]

    assert len({key_bytes(key) for key in keys}) == len(keys)


def test_a_value_may_have_as_many_bytes_as_the_limit() -> None:
    Set(key="k", value=text('"' + "x" * (LIMITS.value_max_bytes - 2) + '"')).check(LIMITS)

    error = refusal(Set(key="k", value=text('"' + "x" * (LIMITS.value_max_bytes - 1) + '"')))

    assert isinstance(error, TooLargeError)
    assert error.field == "value"


def test_a_value_may_be_nested_as_deep_as_the_limit() -> None:
    Set(key="k", value=text("[" * 512 + "]" * 512)).check(LIMITS)

    error = refusal(SetIfNotExists(key="k", value=text("[" * 513 + "]" * 513)))

    assert isinstance(error, InvalidError)
    assert error.field == "value"


@pytest.mark.parametrize(
    ("ttl_ms", "whole"),
    [(0.4, 1), (1500.5, 1501), (-5, -5), (-0.5, 0), (2**53, MAX_TTL_MS), (-(2**60), -MAX_TTL_MS)],
)
def test_a_ttl_is_rounded_up_and_cut_at_ten_years(ttl_ms: float, whole: int) -> None:
    assert whole_ttl_ms(ttl_ms) == whole


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        (AcquireLock(thread_id="t", ttl_ms=float("inf")), "ttlMs"),
        (Set(key="k", value=text("1"), ttl_ms=float("nan")), "ttlMs"),
        (AppendToList(key="k", value=text("1"), ttl_ms=-1), "ttlMs"),
        (AppendToList(key="k", value=text("1"), max_length=-1), "maxLength"),
        (AppendToList(key="k", value=text("1"), max_length=2**53), "maxLength"),
        (enqueue(max_size=-1), "maxSize"),
        (enqueue(enqueued_at=1e17), "enqueuedAt"),
        (enqueue(expires_at=float("nan")), "expiresAt"),
        (enqueue(sent_at=-1e17), "sentAt"),
        (AcquireLock(thread_id="t", ttl_ms=1, request_id=""), "requestId"),
        (AcquireLock(thread_id="t", ttl_ms=1, request_id="x" * 129), "requestId"),
        (AcquireLock(thread_id="t", ttl_ms=1, request_id="a\nb"), "requestId"),
    ],
)
def test_a_member_out_of_bounds_is_named(operation: Operation, field: str) -> None:
    error = refusal(operation)

    assert isinstance(error, InvalidError)
    assert error.field == field
    assert str(error).startswith(field)


def test_an_entry_lives_from_its_sending_by_the_clock_of_its_client() -> None:
    assert enqueue(enqueued_at=100, expires_at=400, sent_at=150).ttl_ms == 250
    assert enqueue(enqueued_at=100, expires_at=400).ttl_ms == 300


def test_what_must_not_be_done_twice_says_so() -> None:
    once = {name for name, operation in OPERATIONS.items() if operation.is_once}

    assert once == {"acquireLock", "setIfNotExists", "appendToList", "enqueue", "dequeue"}


def test_only_what_changes_nothing_asks_for_the_right_to_read_alone() -> None:
    reading = {name for name, operation in OPERATIONS.items() if operation.right == "read"}

    assert reading == {"isSubscribed", "get", "getList", "queueDepth"}
