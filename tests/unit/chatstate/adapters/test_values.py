import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from chat_sdk.types import Author, Message, MessageMetadata, QueueEntry

from chatstate.adapters import values
from chatstate.protocol.errors import InvalidError

SENT_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_message(text: str = "hello") -> Message:
    return Message(
        id="m1",
        thread_id="slack:C1:1.2",
        text=text,
        formatted={"type": "root", "children": []},
        author=Author(user_id="U1", user_name="ann", full_name="Ann", is_bot=False, is_me=False),
        metadata=MessageMetadata(date_sent=SENT_AT, edited=False),
    )


def test_a_value_is_written_without_blanks_or_needless_escapes() -> None:
    assert bytes(values.to_json({"é": [1, "😀"]})) == '{"é":[1,"😀"]}'.encode()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_null(number: float) -> None:
    assert bytes(values.to_json({"a": number, "b": [number, 1.5]})) == b'{"a":null,"b":[null,1.5]}'


def test_a_lone_surrogate_is_written_as_its_escape() -> None:
    written = bytes(values.to_json("a\ud83d😀"))

    assert written == '"a\\ud83d😀"'.encode()
    assert values.from_json(written.decode()) == "a\ud83d😀"


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2023, 11, 14, 22, 13, 20, 123_456, UTC), "2023-11-14T22:13:20.123Z"),
        (
            datetime(2023, 11, 15, 0, 13, 20, tzinfo=timezone(timedelta(hours=2))),
            "2023-11-14T22:13:20.000Z",
        ),
        (date(2023, 11, 14), "2023-11-14"),
    ],
)
def test_an_instant_is_written_as_javascript_writes_it(instant: date, text: str) -> None:
    assert json.loads(bytes(values.to_json(instant))) == text


def test_what_knows_its_json_is_asked_for_it() -> None:
    assert json.loads(bytes(values.to_json([make_message()]))) == [make_message().to_json()]


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object()])
def test_what_json_has_no_form_for_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        values.to_json(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(ValueError, match="Circular"):
        values.to_json(value)


def test_a_number_of_any_length_is_read() -> None:
    assert values.from_json("9" * 5_000) == math.inf


@pytest.mark.parametrize("nothing", [None, 0, 0.0, math.nan, math.inf, -math.inf])
def test_a_number_that_says_nothing_was_left_out(nothing: float | None) -> None:
    assert values.optional_number("ttlMs", nothing) is None
    assert values.optional_count("maxLength", nothing) is None


def test_a_number_below_0_says_something() -> None:
    assert values.optional_number("ttlMs", -0.5) == -0.5
    assert values.optional_count("maxLength", -1) == -1


def test_a_count_may_be_a_whole_float() -> None:
    assert values.optional_count("maxLength", 10.0) == 10


@pytest.mark.parametrize("wrong", ["5", True, [], b"5"])
def test_what_is_no_number_is_refused_by_name(wrong: Any) -> None:
    for read in (values.number, values.optional_number, values.optional_count):
        with pytest.raises(InvalidError) as refused:
            read("ttlMs", wrong)
        assert refused.value.field == "ttlMs"


def test_a_count_with_a_fraction_is_refused() -> None:
    with pytest.raises(InvalidError, match="maxLength must be a whole number"):
        values.optional_count("maxLength", 1.5)


@pytest.mark.parametrize("wrong", [None, 1, b"key"])
def test_what_is_no_text_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(InvalidError, match="threadId must be a string"):
        values.text("threadId", wrong)


class Plain:
    def __init__(self) -> None:
        self.text = "hello"


@pytest.mark.parametrize(
    ("message", "written"),
    [
        (make_message(), make_message().to_json()),
        ({"text": "hello"}, {"text": "hello"}),
        (Plain(), {"text": "hello"}),
        (None, None),
    ],
    ids=["message", "dict", "object", "none"],
)
def test_a_message_is_written_as_json(message: Any, written: Any) -> None:
    envelope = values.open_entry(QueueEntry(enqueued_at=1, expires_at=2, message=message))

    assert json.loads(bytes(envelope.message)) == written
    assert envelope[1:] == (1, 2)


@pytest.mark.parametrize(
    "entry",
    [
        {"message": {}, "enqueuedAt": 1, "expiresAt": 2},
        {"message": {}, "enqueued_at": 1, "expires_at": 2},
    ],
    ids=["camelCase", "snake_case"],
)
def test_an_entry_may_be_spelt_as_in_either_language(entry: dict[str, Any]) -> None:
    assert values.open_entry(entry)[1:] == (1, 2)


def test_an_entry_needs_its_instants() -> None:
    with pytest.raises(InvalidError, match="expiresAt must be a number, not NoneType"):
        values.open_entry({"message": {}, "enqueuedAt": 1})


def test_a_message_comes_out_as_one() -> None:
    dequeued = {"message": make_message().to_json(), "enqueuedAt": 1, "expiresAt": 20, "ttlMs": 10}

    entry = values.make_entry(dequeued, now_ms=10)

    assert entry == QueueEntry(enqueued_at=1, expires_at=20, message=make_message())


def test_any_other_message_comes_out_as_it_went_in() -> None:
    dequeued = {"message": {"number": 1}, "enqueuedAt": 1, "expiresAt": 20, "ttlMs": 10}

    assert values.make_entry(dequeued, now_ms=10).message == {"number": 1}


def test_an_entry_that_looks_past_lives_for_what_the_server_says() -> None:
    dequeued = {"message": {}, "enqueuedAt": 1, "expiresAt": 20, "ttlMs": 10}

    assert values.make_entry(dequeued, now_ms=1_000).expires_at == 1_010
