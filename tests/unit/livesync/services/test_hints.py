"""Hints as messages of a channel layer: named for any store, read with suspicion."""

import string
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from hypothesis import given
from hypothesis import strategies as st

from livesync.services.hints import Hint, decode_hint, encode_hint, group_name


@given(st.text(max_size=200).filter(lambda text: text.isprintable()))
def test_every_store_has_a_group_name_that_channel_layers_accept(store_id: str) -> None:
    name = group_name(store_id)

    assert InMemoryChannelLayer().require_valid_group_name(name)
    assert set(name) <= set(string.ascii_lowercase + string.digits + ".")


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"])), unique=True, min_size=2))
def test_no_two_stores_share_a_group(store_ids: list[str]) -> None:
    assert len({group_name(store_id) for store_id in store_ids}) == len(store_ids)


def test_a_hint_comes_out_as_it_went_in() -> None:
    hint = Hint("störe\u200d", "id", 2**53 - 1)

    assert decode_hint(encode_hint(hint)) == hint
    assert encode_hint(hint)["type"] == "livesync.hint"


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "garbage",
        {},
        {"type": "livesync.hint"},
        {"store_id": "a", "backend_id": "b"},
        {"store_id": "a", "backend_id": "b", "head": "5"},
        {"store_id": "a", "backend_id": "b", "head": None},
        {"store_id": "a", "backend_id": None, "head": 5},
        {"store_id": b"a", "backend_id": "b", "head": 5},
    ],
)
def test_what_is_no_hint_is_none(message: Any) -> None:
    assert decode_hint(message) is None
