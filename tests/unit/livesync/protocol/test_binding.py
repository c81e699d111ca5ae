"""A message speaks for the store and the payload of its connection, or for nobody."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from livesync.protocol.binding import Binding
from livesync.protocol.errors import PayloadMismatchError, StoreMismatchError

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.text(max_size=2)),
    lambda items: st.lists(items, max_size=2) | st.dictionaries(st.text(max_size=1), items),
    max_leaves=4,
)


def is_same(url_payload: Any, text: str) -> bool:
    try:
        Binding("s", url_payload).check("s", Raw(text.encode()))
    except PayloadMismatchError:
        return False
    return True


@given(values)
def test_a_payload_is_the_same_however_it_is_written(value: Any) -> None:
    assert is_same(value, json.dumps(value))
    assert is_same(value, json.dumps(value, indent=1, ensure_ascii=False))


@given(values, values)
def test_payloads_that_differ_are_told_apart(value: Any, other: Any) -> None:
    written = json.dumps(value, sort_keys=True)

    assert is_same(value, json.dumps(other)) == (written == json.dumps(other, sort_keys=True))


@pytest.mark.parametrize(
    ("url_payload", "text", "same"),
    [
        (1, "true", False),
        (True, "1", False),
        (0, "false", False),
        (1, "1.0", True),
        ({"a": 1, "b": 2}, '{"b":2,"a":1}', True),
        ({"a": 1}, '{"a":2,"a":1}', True),
        ({"a": 1}, '{"a":1,"b":null}', False),
        ([1, 2], "[2,1]", False),
        ([1], "[1,1]", False),
        (None, "null", True),
        (None, "{}", False),
    ],
)
def test_equal_is_what_javascript_calls_equal(url_payload: Any, text: str, same: bool) -> None:
    assert is_same(url_payload, text) == same


def test_a_message_need_not_repeat_the_payload() -> None:
    Binding("s", {"token": "x"}).check("s", None)


def test_every_message_is_checked_not_only_the_first() -> None:
    binding = Binding("s", {"a": 1})
    binding.check("s", Raw(b'{"a":1}'))
    binding.check("s", Raw(b'{"a":1}'))

    with pytest.raises(PayloadMismatchError):
        binding.check("s", Raw(b'{"a":2}'))
    with pytest.raises(StoreMismatchError):
        binding.check("S", Raw(b'{"a":1}'))


@pytest.mark.parametrize("named", ["", "S", "s ", "s\u0301", "\uff53"])
def test_a_store_is_the_same_byte_for_byte_only(named: str) -> None:
    with pytest.raises(StoreMismatchError):
        Binding("s").check(named, None)
