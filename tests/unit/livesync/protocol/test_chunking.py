"""Pages keep to both limits, waste nothing, and lose nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesync.protocol.chunking import ENVELOPE_BYTES, Cut, cut, utf8_size
from livesync.protocol.pages import encode_event, encode_page
from tests.factories import make_events

texts_of_all_sizes = st.lists(st.text(alphabet="aé\U0001f600", max_size=40), max_size=60)
limits = st.tuples(st.integers(1, 10), st.integers(ENVELOPE_BYTES + 1, ENVELOPE_BYTES + 200))


def pages(texts: list[str], max_events: int, max_bytes: int) -> list[Cut]:
    return list(cut(texts, max_events=max_events, max_bytes=max_bytes))


@given(texts_of_all_sizes, limits)
def test_the_pages_are_the_run_in_order_and_none_is_empty(
    texts: list[str], limits: tuple[int, int]
) -> None:
    found = pages(texts, *limits)

    assert [text for piece in found for text in texts[piece.start : piece.stop]] == texts
    assert all(piece.start < piece.stop for piece in found)


@given(texts_of_all_sizes, limits)
def test_no_page_is_above_a_limit_but_for_one_event_alone(
    texts: list[str], limits: tuple[int, int]
) -> None:
    max_events, max_bytes = limits

    for start, stop, size in pages(texts, *limits):
        encoded = len(",".join(texts[start:stop]).encode())
        assert stop - start <= max_events
        assert size <= max_bytes or stop - start == 1
        assert encoded + ENVELOPE_BYTES <= size <= encoded + ENVELOPE_BYTES + 1


@given(texts_of_all_sizes, limits)
def test_a_page_ends_only_where_the_next_event_would_not_fit(
    texts: list[str], limits: tuple[int, int]
) -> None:
    max_events, max_bytes = limits

    for start, stop, size in pages(texts, *limits)[:-1]:
        is_full = stop - start == max_events
        assert is_full or size + len(texts[stop].encode()) + 1 > max_bytes


def test_an_empty_run_gives_no_page() -> None:
    assert pages([], 100, 900_000) == []


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
def test_events_are_counted_to_the_limit_and_not_beyond(count: int, sizes: list[int]) -> None:
    found = pages(["{}"] * count, 100, 900_000)

    assert [piece.stop - piece.start for piece in found] == sizes


def test_bytes_are_counted_to_the_limit_and_not_beyond() -> None:
    fits = 1_000 - ENVELOPE_BYTES - 1

    assert [piece.stop for piece in pages(["x" * fits], 100, 1_000)] == [1]
    assert pages(["x" * (fits - 2), ""], 100, 1_000)[0].stop == 2
    assert [piece.stop for piece in pages(["x" * fits, ""], 100, 1_000)] == [1, 2]


def test_an_event_over_the_limit_goes_alone_between_its_neighbours() -> None:
    found = pages(["a", "b", "x" * 5_000, "c", "d"], 100, 1_000)

    assert [(piece.start, piece.stop) for piece in found] == [(0, 2), (2, 3), (3, 5)]


def test_a_page_that_was_cut_to_a_size_has_no_more_bytes_than_that() -> None:
    texts = [encode_event(event, "2026-01-01T00:00:00.000Z") for event in make_events(40)]
    (piece, *_) = pages(texts, 100, 4_000)

    page = encode_page(texts[: piece.stop], remaining=2**53 - 1, backend_id="x" * 21)

    assert len(page.encode()) <= piece.size <= 4_000


@given(st.text())
def test_sizes_are_those_of_utf_8(text: str) -> None:
    assert utf8_size(text) == len(text.encode())
