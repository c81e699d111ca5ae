"""A list is parted by size, whatever its items are."""

import pytest

from chatstate.services.long_lists import in_parts


@pytest.mark.parametrize(
    ("items", "parts"),
    [
        ([], [[]]),
        (["a"], [["a"]]),
        (["aa", "bb"], [["aa", "bb"]]),
        (["aa", "bb", "cc"], [["aa", "bb"], ["cc"]]),
        (["aaaaaaaaa", "b"], [["aaaaaaaaa"], ["b"]]),
        (["a", "bbbbbbbbb"], [["a"], ["bbbbbbbbb"]]),
    ],
)
def test_a_part_has_as_much_as_may_be_or_one_item(items: list[str], parts: list[list[str]]) -> None:
    assert list(in_parts(items, max_chars=5)) == parts
