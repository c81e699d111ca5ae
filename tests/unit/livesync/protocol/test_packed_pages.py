"""A chunk that is packed straight has the bytes that its JSON would have got."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesync.protocol import packed_pages, records, rpc
from livesync.protocol.events import Event
from livesync.protocol.pages import encode_event, encode_page
from tests import vectors
from tests.factories import make_event, make_events

CREATED_AT = "2026-01-31T12:00:00.000Z"
SUCCESS = rpc.exit_success("1", "{}")

texts = st.text(max_size=40)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=10
)
numbers = st.integers(1, 200) | st.integers(1, 2**53 - 1)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any stored event; one to a page need not continue another here."""
    args = draw(st.none() | values.map(json.dumps) | values.map(_unescaped))
    return Event(draw(texts), args, draw(numbers), draw(numbers), draw(texts), draw(texts))


def _unescaped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def page_of(batch: list[Event], *, remaining: int = 0) -> str:
    items = [encode_event(event, CREATED_AT) for event in batch]
    return encode_page(items, remaining=remaining, backend_id="backend-1")


def packed(chunk: str) -> bytes:
    data = packed_pages.pack(chunk)
    assert data == records.from_json(f"[{chunk}]")
    return data


@given(st.lists(events()), st.integers(0, 200), st.integers(0, 200))
def test_any_page_is_packed_as_its_json_is(batch: list[Event], remaining: int, number: int) -> None:
    page = page_of(batch, remaining=remaining)

    packed(rpc.rpc_chunk(str(number), page))
    packed(rpc.rpc_chunk(number, page))
    packed(rpc.chunk("1", page))


def test_recorded_chunks_are_written_as_the_original_wrote_them() -> None:
    chunks = [m for m in vectors.rpc_messages() if m.value[0]["_tag"] == "Chunk"]
    written = [packed_pages.pack(_unescaped(message.value[0])) for message in chunks]

    assert len(chunks) > 3
    assert written == [message.data for message in chunks]


@pytest.mark.parametrize(
    "args",
    [
        [f'{{"key {number}":1}}' for number in range(200)],
        [json.dumps([{f"key {number}": 1} for number in range(200)]), '{"a":1}'],
        [None, '{"a":1}', None, '{"a":1}'],
        ['{"a":1}', None, '{"a":1}'],
        ['{"lone":"\\ud83d"}'],
        ["[" * 900 + "]" * 900],
        ['{"a":{"b":[64,127,-1]}}', '{"b":[0.5,1e300]}', "64", '"text"', "[]", "{}"],
    ],
    ids=[
        "more shapes than ids",
        "the same in one",
        "absent first",
        "absent later",
        "surrogate",
        "deep",
        "mixed",
    ],
)
def test_args_of_every_kind_keep_their_place(args: list[str | None]) -> None:
    packed(
        rpc.rpc_chunk("1", page_of([make_event(n + 1, args=text) for n, text in enumerate(args)]))
    )


@pytest.mark.parametrize("answer", [SUCCESS, rpc.PONG, rpc.defect("no"), rpc.chunk("1", "7")])
def test_other_answers_are_packed_as_well(answer: str) -> None:
    packed(answer)


def test_no_page_of_usual_events_takes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of([*make_events(150), make_event(151, args=None), make_event(2**40)])
    chunk = rpc.rpc_chunk("1", page)
    expected = records.from_json(f"[{chunk}]")
    monkeypatch.setattr(packed_pages.records, "from_json", None)

    assert packed_pages.pack(chunk) == expected
