"""Texts that must not be taken for one another, nor do anything to the page around them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.visible_text import (
    distinct_html,
    in_ascii,
    visible,
    visible_html,
    visible_json,
)

anything = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("notes", "notes"),
        ("two words", "two words"),
        ("café", "café"),
        ("שלום", "שלום"),
        ("a\u202eb", r"a\u{202e}b"),
        ("a\u200db", r"a\u{200d}b"),
        ("a\u2028b", r"a\u{2028}b"),
        ("a\x00\n\x7f", r"a\u{0}\u{a}\u{7f}"),
        ("a\xa0b", r"a\u{a0}b"),
        ("\ufeff", r"\u{feff}"),
        ("\ud83d", r"\u{d83d}"),
        ("❤\ufe0f", r"❤\u{fe0f}"),
        ("\u3164", r"\u{3164}"),
        ("\U000e0041", r"\u{e0041}"),
        (" a", r"\u{20}a"),
        ("a ", r"a\u{20}"),
        ("a  b", r"a\u{20}\u{20}b"),
        ("\\", "\\\\"),
        (r"\u{202e}", r"\\u{202e}"),
    ],
)
def test_what_cannot_be_seen_is_spelt_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("café", r"caf\u{e9}"),
        ("cafe\u0301", r"cafe\u{301}"),
        ("\uff41", r"\u{ff41}"),
        ("a b", "a b"),
    ],
)
def test_in_ascii_nothing_looks_alike(text: str, shown: str) -> None:
    assert in_ascii(text) == shown


@given(st.lists(anything, min_size=2, max_size=2, unique=True))
def test_no_two_texts_are_shown_alike(texts: list[str]) -> None:
    one, other = texts

    assert visible(one) != visible(other)
    assert in_ascii(one) != in_ascii(other)


@given(anything)
def test_what_is_shown_can_be_printed_and_sent(text: str) -> None:
    assert visible(text).isprintable()
    assert in_ascii(text).isascii()
    visible(text).encode()
    visible_html(text).encode()


@given(anything)
def test_html_holds_no_markup_but_ours(text: str) -> None:
    html = visible_html(text)

    assert html.count("<") == html.count("<span class=") + html.count("</span>")


def test_html_names_the_unseen_character() -> None:
    assert visible_html("<b>\u202e") == (
        '&lt;b&gt;<span class="code-point" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>'
    )


def test_a_block_keeps_its_lines_and_indentation() -> None:
    assert visible_html("{\n  1\n}", is_block=True) == "{\n  1\n}"
    assert "U+000A" in visible_html("a\nb")


def test_a_text_that_another_may_look_like_is_shown_in_ascii_too():
    assert distinct_html("<b>") == '<bdi class="exact">&lt;b&gt;</bdi>'
    assert distinct_html("\xe9") == (
        '<bdi class="exact">\xe9</bdi><div class="exact in-ascii">\\u{e9}</div>'
    )


@given(st.recursive(anything, lambda inner: st.lists(inner) | st.dictionaries(anything, inner)))
def test_json_remains_what_it_is(value: object) -> None:
    shown = visible_json(json.dumps(value, ensure_ascii=False, indent=1))

    assert json.loads(shown) == value
    assert shown.isprintable()


def test_json_that_can_be_seen_is_shown_as_it_is() -> None:
    text = '{"a": "é 👋 \\\\ \\u001b", "n": 1.0}'

    assert visible_json(text) == text
