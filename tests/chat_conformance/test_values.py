"""Values are JSON: what went in comes out, and in the same order."""

import asyncio
import json
import math
from typing import Any

import pytest

from tests.chat_conformance.subjects.subject import (
    UNDEFINED,
    CallFailedError,
    Feature,
    Special,
    Subject,
)

KEY = "key"

VALUES: dict[str, Any] = {
    "true": True,
    "false": False,
    "0": 0,
    "1": 1,
    "-1": -1,
    "fraction": 0.1,
    "largest integer": 2**53 - 1,
    "smallest integer": -(2**53) + 1,
    "large number": 1.7976931348623157e308,
    "small number": 5e-324,
    "empty text": "",
    "text": "hello",
    "text like a number": "0012",
    "text like JSON": '{"a": [1, null]}',
    "text like null": "null",
    "blanks": " \t\r\n ",
    "quotes": "\"'`\\/",
    "controls": "".join(map(chr, range(32))) + "\x7f",
    "NUL": "a\x00b",
    "separators": "\u2028\u2029\u0085",
    "emoji": "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "composed and decomposed": "\u00e9e\u0301",
    "lone high surrogate": "a\ud83d",
    "lone low surrogate": "\ude00b",
    "swapped surrogates": "\ude00\ud83d",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "empty object": {},
    "empty list": [],
    "list": [1, "2", None, True, {"a": []}],
    "members in no order": {"b": 1, "a": 2, "B": 3, "": 4},
    "NUL in a name": {"a\x00b": {"\ud800": 1}},
    "null in places": {"a": None, "b": [None]},
    "names of JavaScript": {"constructor": 1, "toJSON": 2, "toString": 3, "length": 4, "$": 5},
    "names that look like ours": {"value": 1, "items": [], "error": {"code": "x"}, "id": 1},
    "message": {"_type": "chat:Unknown", "text": "not a message"},
}
BY_NAME = [pytest.param(value, id=name) for name, value in VALUES.items()]

DEEP = 200
"""Levels; what reads and writes JSON in Python takes no more than some hundreds."""

TEXTS = {
    "blanks": ' { "a" : [ 1 , 2 ] , "b" : { } } '.strip(),
    "order": '{"b":1,"a":2,"10":3,"9":4}',
    "one name twice": '{"a":1,"a":2,"b":3,"a":3}',
    "forms of numbers": "[1.0,1e2,1E+2,-0,-0.0,0.10,100000000000000000000000,1e400,-1e400,1e-400]",
    "many digits": "0.1234567890123456789012345678901234567890",
    "forms of text": r'"\u0041\/\u00e9\ud83d\ude00\u0000\ud83d\u001f\u2028"',
    "text as it is": '"\u00e9 \U0001f600 \u2028 \x7f"',
    "null": "null",
    "text": '"null"',
    "deep": "[" * 400 + "]" * 400,
}
"""JSON texts that a reader and writer of JSON would change."""

LARGEST_TEXT = f'"{"x" * 899_998}"'
TOO_LARGE_TEXT = f'"{"x" * 899_999}"'


@pytest.mark.parametrize("value", BY_NAME)
async def test_a_value_comes_back(subject: Subject, value: Any) -> None:
    await subject.set(KEY, value)
    assert exactly(await subject.get(KEY)) == exactly(value)

    await subject.delete(KEY)
    assert await subject.set_if_not_exists(KEY, value) is True
    assert exactly(await subject.get(KEY)) == exactly(value)


async def test_values_of_a_list_come_back(subject: Subject) -> None:
    values = [*VALUES.values(), None]
    for value in values:
        await subject.append_to_list(KEY, value)

    assert exactly(await subject.get_list(KEY)) == exactly(values)


async def test_messages_come_back(subject: Subject) -> None:
    messages = [{"number": 1, "content": value} for value in VALUES.values()]
    for message in messages:
        entry = {"message": message, "enqueuedAt": 1, "expiresAt": 4_102_444_800_000}
        await subject.enqueue("thread", entry, len(messages))

    taken = [await subject.dequeue("thread") for _ in messages]

    assert exactly([entry["message"] for entry in taken]) == exactly(messages)


async def test_a_deep_value_comes_back(subject: Subject) -> None:
    value: Any = 0
    for _ in range(DEEP):
        value = [value]
    await subject.set(KEY, value)

    found = await subject.get(KEY)
    for _ in range(DEEP):
        (found,) = found
    assert found == 0


@pytest.mark.parametrize("letter", ["x", "\u20ac"], ids=["ascii", "three bytes"])
async def test_a_large_value_comes_back(subject: Subject, letter: str) -> None:
    value = letter * (890_000 // len(letter.encode()))
    await subject.set(KEY, value)
    await subject.append_to_list("list", value)
    await subject.append_to_list("list", value)

    assert await subject.get(KEY) == value
    assert await subject.get_list("list") == [value, value]


async def test_large_values_may_be_under_way_together(subject: Subject) -> None:
    values = {f"key {number}": f"{number}" * 800_000 for number in range(8)}
    await asyncio.gather(*(subject.set(key, value) for key, value in values.items()))

    found = await asyncio.gather(*(subject.get(key) for key in values))

    assert found == list(values.values())


@pytest.mark.needs(Feature.PIPELINES)
async def test_thousands_of_calls_may_be_under_way_together(subject: Subject) -> None:
    numbers = range(2_500)
    await asyncio.gather(*(subject.set(f"key {number}", number) for number in numbers))

    assert await asyncio.gather(*(subject.get(f"key {n}") for n in numbers)) == list(numbers)


@pytest.mark.needs(Feature.LIMITS)
async def test_a_value_that_is_too_large_is_refused(subject: Subject) -> None:
    with pytest.raises(CallFailedError) as refused:
        await subject.set(KEY, "x" * 1_000_000)

    assert refused.value.code in ("too_large", None)
    assert await subject.get(KEY) is None
    await subject.set(KEY, "small")
    assert await subject.get(KEY) == "small"


@pytest.mark.needs(Feature.TEXTS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_a_text_comes_back_as_it_was_written(subject: Subject, text: str) -> None:
    await subject.set_text(KEY, text)

    assert await subject.get_text(KEY) == text


@pytest.mark.needs(Feature.TEXTS)
async def test_the_largest_text_comes_back(subject: Subject) -> None:
    await subject.set_text(KEY, LARGEST_TEXT)
    assert await subject.get_text(KEY) == LARGEST_TEXT

    with pytest.raises(CallFailedError) as refused:
        await subject.set_text(KEY, TOO_LARGE_TEXT)
    assert refused.value.code == "too_large"
    assert await subject.get_text(KEY) == LARGEST_TEXT


@pytest.mark.needs(Feature.OBJECTS)
async def test_a_value_is_a_copy(subject: Subject) -> None:
    assert await subject.set_spoil_get(KEY) == {"members": [1]}


@pytest.mark.needs(Feature.NUMBERS)
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
async def test_what_is_no_number_is_null(subject: Subject, number: float) -> None:
    await subject.set(KEY, {"a": number, "b": [number]})

    assert await subject.get(KEY) == {"a": None, "b": [None]}


@pytest.mark.needs(Feature.JAVASCRIPT)
@pytest.mark.parametrize(
    ("value", "read"),
    [
        pytest.param({"a": UNDEFINED, "b": 1}, {"b": 1}, id="undefined in an object"),
        pytest.param([UNDEFINED, 1], [None, 1], id="undefined in a list"),
        pytest.param(
            {"at": Special("date", 1_700_000_000_123)},
            {"at": "2023-11-14T22:13:20.123Z"},
            id="a date",
        ),
        pytest.param({"map": Special("map")}, {"map": {}}, id="a map"),
    ],
)
async def test_a_value_of_javascript_is_what_json_makes_of_it(
    subject: Subject, value: Any, read: Any
) -> None:
    await subject.set(KEY, value)

    assert await subject.get(KEY) == read


@pytest.mark.needs(Feature.JAVASCRIPT)
async def test_undefined_is_stored_as_null(subject: Subject) -> None:
    await subject.set(KEY, "value")
    await subject.set(KEY, UNDEFINED)

    assert await subject.get(KEY) is None
    assert await subject.set_if_not_exists(KEY, "value") is False


@pytest.mark.needs(Feature.JAVASCRIPT)
async def test_a_bigint_is_refused_and_nothing_changed(subject: Subject) -> None:
    await subject.set(KEY, "value")
    with pytest.raises(CallFailedError):
        await subject.set(KEY, {"a": Special("bigint", "1")})

    assert await subject.get(KEY) == "value"


def exactly(value: Any) -> str:
    """A text that differs wherever two values do, also in types and in the order of members."""
    return json.dumps(value, allow_nan=False)
