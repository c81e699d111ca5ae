"""JSON gets line breaks and keeps its tokens, whatever they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.pretty_json import Pretty, pretty

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_json_is_laid_out_as_python_lays_it_out(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)

    laid_out, is_whole = pretty(text, max_chars=1_000_000)

    assert is_whole
    assert laid_out == json.dumps(value, ensure_ascii=False, indent=2)


@pytest.mark.parametrize(
    "token",
    [
        "1e400",
        "-0.0",
        "9007199254740993",
        "123456789012345678901234567890",
        r'"\ud83d"',
        r'"\u0000"',
    ],
)
def test_tokens_stay_as_they_were_written(token: str) -> None:
    assert pretty(f"[{token}]", max_chars=1_000) == Pretty(f"[\n  {token}\n]", is_whole=True)


def test_a_key_given_twice_is_shown_twice() -> None:
    laid_out, _ = pretty('{"a":1,"a":2}', max_chars=1_000)

    assert laid_out == '{\n  "a": 1,\n  "a": 2\n}'


@given(st.text(max_size=200), st.integers(0, 100))
def test_anything_is_laid_out_and_cut_at_the_limit(text: str, max_chars: int) -> None:
    laid_out, is_whole = pretty(text, max_chars=max_chars)

    assert len(laid_out) <= max_chars
    assert is_whole or len(laid_out) == max_chars
    if is_whole:
        assert "".join(laid_out.split()) == "".join(text.split())


def test_deep_nesting_does_not_grow_without_bound() -> None:
    depth = 500

    laid_out, _ = pretty("[" * depth + "]" * depth, max_chars=1_000_000)

    assert len(laid_out) < depth * 2 * 50 + 2
