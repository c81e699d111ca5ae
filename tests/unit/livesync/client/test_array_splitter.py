"""A JSON array in pieces, wherever it is cut."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.strict_json import JsonError
from livesync.client.array_splitter import ArraySplitter

CHUNK = '{"_tag":"Chunk","requestId":"1","values":[%s]}'
END = '{"_tag":"Exit","requestId":"1","exit":{"_tag":"Success"}}'
TRAP = '[{"_tag":"Chunk"},{"_tag":"Chunk"} , { "_tag" : "Exit"}]'
MESSAGES = [CHUNK % "1", CHUNK % TRAP, CHUNK % json.dumps(TRAP), CHUNK % '"\\ud83d"', END]


def split(pieces: list[bytes], max_bytes: int = 10_000) -> list[bytes]:
    splitter = ArraySplitter(max_bytes=max_bytes)
    return [item for piece in pieces for item in splitter.feed(piece)] + splitter.finish()


@given(st.lists(st.integers(0, 600), max_size=8), st.sampled_from([",", " ,\n "]))
def test_wherever_it_is_cut_the_messages_are_the_same(cuts: list[int], comma: str) -> None:
    text = f" [{comma.join(MESSAGES)}] ".encode()
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})

    items = split([text[a:b] for a, b in itertools.pairwise(places)])

    assert [json.loads(item) for item in items] == [json.loads(item) for item in MESSAGES]


def test_a_message_is_given_as_soon_as_the_next_one_begins() -> None:
    splitter = ArraySplitter(max_bytes=10_000)

    assert splitter.feed(f"[{MESSAGES[0]},".encode()) == []
    assert splitter.feed(END.encode()) == [MESSAGES[0].encode()]
    assert splitter.feed(b"]") == []
    assert splitter.finish() == [END.encode()]


def test_an_array_may_be_empty() -> None:
    assert split([b"[", b"]"]) == []


def test_many_false_ends_are_only_looked_at_for_a_while() -> None:
    trap = CHUNK % ("[" + ",".join(['{"_tag":"Chunk"}'] * 200) + "]")

    items = split([f"[{trap},{END}]".encode()])

    assert items == [trap.encode(), END.encode()]


@pytest.mark.parametrize("text", ["", "{}", "x", "[", "[1", "[1,]", "[1]]", "[\xff]"])
def test_what_is_no_array(text: str) -> None:
    with pytest.raises(JsonError):
        split([text.encode("latin-1")])


def test_an_item_without_an_end_is_not_kept() -> None:
    with pytest.raises(JsonError, match="more than 100 bytes"):
        split([b"[", b'"' * 99, b"x" * 10], max_bytes=100)
