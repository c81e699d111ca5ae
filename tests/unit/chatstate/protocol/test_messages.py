"""Frames, as ``docs/chat-protocol.md`` describes them."""

import json

import pytest

from chatstate.protocol import messages
from chatstate.protocol.errors import (
    ConflictError,
    InvalidError,
    MalformedError,
    TooLargeError,
    UnauthorizedError,
    UnknownOperationError,
)
from chatstate.protocol.messages import Refused
from chatstate.protocol.operations import AcquireLock, Get, Limits, Operation, Set


def read(text: str, *, max_operations: int = 10) -> list[Operation | Refused]:
    return messages.read_operations(text, max_operations=max_operations)


def test_a_frame_is_read_in_its_order() -> None:
    first, second = read(
        '[{"id":1,"op":"get","key":"a"},'
        '{"op":"acquireLock","threadId":"t","ttlMs":1.5,"requestId":"r","id":2,"more":[]}]'
    )

    assert first == Get(id=1, key="a")
    assert second == AcquireLock(id=2, thread_id="t", ttl_ms=1.5, request_id="r")


@pytest.mark.parametrize(
    "value", ["null", '"\\u0000"', '"\\ud83d"', "1e400", '{"b":1,"a":2,"a":3}', " [ 1 ] ".strip()]
)
def test_a_value_is_kept_as_it_was_written(value: str) -> None:
    (operation,) = read(f'[{{"id":1,"op":"set","key":"k","value":{value}}}]')

    assert isinstance(operation, Set)
    assert str(operation.value, "utf-8") == value


def test_null_where_a_member_may_be_left_out_means_that_it_was() -> None:
    (operation,) = read('[{"id":1,"op":"set","key":"k","value":1,"ttlMs":null,"shard":null}]')

    assert isinstance(operation, Set)
    assert operation.ttl_ms is None
    assert operation.shard is None


def test_a_lone_surrogate_in_a_key_is_read_as_javascript_writes_it() -> None:
    assert read('[{"id":1.0,"op":"get","key":"\\ud83d"}]') == [Get(id=1, key="\ud83d")]


@pytest.mark.parametrize(
    ("item", "field", "problem"),
    [
        ('"op":"get"', "key", "is missing"),
        ('"op":"get","key":1', "key", "must be a string, not 1"),
        ('"op":"get","key":null', "key", "must be a string, not null"),
        ('"op":"set","key":"k"', "value", "is missing"),
        ('"op":"set","key":"k","value":1,"ttlMs":"10"', "ttlMs", "a number or null, not a string"),
        ('"op":"acquireLock","threadId":"t"', "ttlMs", "is missing"),
        ('"op":"acquireLock","threadId":"t","ttlMs":true', "ttlMs", "a number, not a boolean"),
        ('"op":"appendToList","key":"k","value":1,"maxLength":1.5', "maxLength", "whole number"),
        ('"op":"enqueue","threadId":"t","message":1,"enqueuedAt":1', "expiresAt", "is missing"),
        ('"op":"enqueue","threadId":"t","enqueuedAt":1,"expiresAt":2', "message", "is missing"),
        ('"op":"dequeue","threadId":["t"]', "threadId", "must be a string, not an array"),
    ],
)
def test_a_wrong_member_is_refused_by_name_and_harms_no_other(
    item: str, field: str, problem: str
) -> None:
    refused, fine = read(f'[{{"id":1,{item}}},{{"id":2,"op":"get","key":"k"}}]')

    assert fine == Get(id=2, key="k")
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, InvalidError)
    assert (refused.id, refused.error.field) == (1, field)
    assert problem in str(refused.error)


def test_an_unknown_operation_is_refused_by_name() -> None:
    (refused,) = read('[{"id":7,"op":"getMore","key":"k","after":0,"end":9}]')

    assert isinstance(refused, Refused)
    assert isinstance(refused.error, UnknownOperationError)
    assert "'getMore'" in str(refused.error)


@pytest.mark.parametrize("levels", [700, 999, 1_000, 100_000])
def test_a_value_that_no_reader_can_follow_is_refused_and_harms_no_other(levels: int) -> None:
    deep = "[" * levels + "]" * levels
    before, value, message, after = read(
        '[{"id":1,"op":"get","key":"k"},'
        f'{{"id":2,"op":"set","key":"k","value":{deep}}},'
        f'{{"id":3,"op":"enqueue","threadId":"t","message":{deep},"enqueuedAt":1,"expiresAt":2}},'
        '{"id":4,"op":"get","key":"\\ud83d"}]'
    )

    assert before == Get(id=1, key="k")
    assert after == Get(id=4, key="\ud83d")
    for refused, id, field in ((value, 2, "value"), (message, 3, "message")):
        assert refusal(refused) == (id, field)


def refusal(found: Operation | Refused) -> tuple[int, str | None]:
    """The id and field of a refused operation, whoever refuses it."""
    if isinstance(found, Refused):
        assert isinstance(found.error, InvalidError)
        return found.id, found.error.field
    with pytest.raises(InvalidError) as refused:
        found.check(Limits())
    return found.id, refused.value.field


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "null", "{}", '"x"', "[1]", "[null]", '[{"op":"get","key":"k"}]'),
        *('[{"id":-1,"op":"get","key":"k"}]', '[{"id":9007199254740992,"op":"get","key":"k"}]'),
        *('[{"id":"1","op":"get","key":"k"}]', '[{"id":1,"op":2}]', '[{"id":1}]', "[NaN]", "[" * 9),
    ],
)
def test_what_is_no_array_of_operations_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        read(text)


def test_a_frame_of_too_many_operations_is_refused_whole() -> None:
    item = '{"id":1,"op":"get","key":"k"}'
    odd = '{"id":1,"op":"get"}'

    assert len(read(f"[{item},{item}]", max_operations=2)) == 2
    for third in (item, odd):
        with pytest.raises(TooLargeError):
            read(f"[{item},{item},{third}]", max_operations=2)


def test_the_first_frame_holds_the_token() -> None:
    assert messages.read_hello('{"token":"chat_x","more":1}') == "chat_x"
    for text in ("{}", '{"token":1}', "[]", "null"):
        with pytest.raises(UnauthorizedError):
            messages.read_hello(text)
    with pytest.raises(MalformedError):
        messages.read_hello("{")


def test_over_http_the_name_comes_from_the_path_whatever_the_body_says() -> None:
    operation = messages.read_members("get", ' {"op":"set","id":5,"key":"k"} ')

    assert operation == Get(id=0, key="k")
    with pytest.raises(UnknownOperationError):
        messages.read_members("getMore", "{}")
    with pytest.raises(InvalidError):
        messages.read_members("get", "{}")
    for body in ("", "[]", "{", "1"):
        with pytest.raises(MalformedError):
            messages.read_members("get", body)


def test_answers_are_put_together_from_json_as_it_is() -> None:
    answers = [
        messages.answer(1, '{"a":1e400}'),
        messages.list_piece(2, ["1", "[2]"], more=True),
        messages.refusal(3, ConflictError()),
    ]

    frame = messages.frame(answers)

    assert '{"id":1,"value":{"a":1e400}}' in frame
    _, piece, refusal = json.loads(frame)
    assert piece == {"id": 2, "items": [1, [2]], "more": True}
    assert refusal["id"] == 3
    assert refusal["error"].keys() == {"code", "message", "field"}
