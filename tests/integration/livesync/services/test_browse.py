"""Paging through the events of a store, newest first, with a bounded effort."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from livesync.protocol.events import MAX_SEQ_NUM
from livesync.services import browse
from livesync.services.browse import Browser, Filter, Page, find_event
from livesync.services.stores import inspect_store
from livesync.storage.database import DatabaseEngine
from tests.factories import make_chain, make_event, make_events
from tests.storage import STORE, push


def browser(wanted: Filter | None = None, *, max_events: int = 3) -> Browser:
    return Browser(inspect_store(STORE), wanted or Filter(), max_events, 1_000)


def numbers(page: Page) -> list[int]:
    return [event.seq_num for event in page.events]


def all_pages_down(browser: Browser) -> list[Page]:
    pages = [browser.down()]
    while (at := pages[-1].older_at) is not None:
        pages.append(browser.down(at))
    return pages


def push_named(engine: DatabaseEngine, names: Sequence[str]) -> None:
    push(engine, [make_event(number, name=name) for number, name in enumerate(names, start=1)])


def test_pages_lead_down_to_the_first_event(engine: DatabaseEngine) -> None:
    push(engine, make_chain(1, 2, 7, 8, 20_000, 20_001, 20_002))

    pages = all_pages_down(browser())

    assert [numbers(page) for page in pages] == [[20_002, 20_001, 20_000], [8, 7, 2], [1]]
    assert all(page.searched_to is None for page in pages)


def test_pages_lead_back_up_without_a_gap_or_a_double(engine: DatabaseEngine) -> None:
    push(engine, make_events(11))
    looking = browser()

    pages = [looking.down(2)]
    while (above := pages[-1].newer_above) is not None:
        pages.append(looking.up(above))

    assert [numbers(page) for page in pages] == [[2, 1], [5, 4, 3], [8, 7, 6], [11, 10, 9]]
    for lower, upper in pairwise(pages[1:]):
        assert upper.older_at is not None
        assert numbers(looking.down(upper.older_at)) == numbers(lower)


def test_the_last_page_upwards_is_full_and_begins_with_the_newest(engine: DatabaseEngine) -> None:
    push(engine, make_events(10))

    page = browser().up(8)

    assert numbers(page) == [10, 9, 8]
    assert page.newer_above is None
    assert page.older_at == 7


def test_a_jump_lands_on_the_event_or_the_one_before(engine: DatabaseEngine) -> None:
    push(engine, make_chain(1, 2, 100, 101))
    looking = browser()

    assert numbers(looking.down(100)) == [100, 2, 1]
    assert numbers(looking.down(99)) == [2, 1]
    assert numbers(looking.down(0)) == []
    assert numbers(looking.up(MAX_SEQ_NUM)) == [101, 100, 2]


def test_an_empty_store_has_one_empty_page(engine: DatabaseEngine) -> None:
    push(engine, [])

    assert browser().down() == Page([], None, None, None)
    assert browser().up(0) == Page([], None, None, None)


def test_a_filter_finds_parts_of_names_in_any_case(engine: DatabaseEngine) -> None:
    push_named(engine, ["v1.TodoCreated", "v1.TodoDeleted", "v1.NoteCreated", "v2.todocreated"])

    assert numbers(browser(Filter(name="todocreated")).down()) == [4, 1]
    assert numbers(browser(Filter(name="CREATED")).down()) == [4, 3, 1]
    assert numbers(browser(Filter(name="%")).down()) == []


def test_a_filter_finds_clients(engine: DatabaseEngine) -> None:
    push(engine, [make_event(1, client_id="ann"), make_event(2, client_id="bob", name="other")])
    push(engine, make_events(2, after=2, client_id="Bob"))

    assert numbers(browser(Filter(client_id="bob")).down()) == [4, 3, 2]
    assert numbers(browser(Filter(name="other", client_id="bob")).down()) == [2]


def test_a_filtered_page_leads_on_to_the_next_match(engine: DatabaseEngine) -> None:
    push_named(engine, ["hit", "miss"] * 4)

    pages = all_pages_down(browser(Filter(name="hit")))

    assert [numbers(page) for page in pages] == [[7, 5, 3], [1]]
    assert pages[0].older_at == 1


@pytest.fixture
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six events are looked at for a page, two at a time."""
    monkeypatch.setattr(browse, "MAX_SEARCHED", 6)
    monkeypatch.setattr(browse, "_SLICE_EVENTS", 2)


@pytest.mark.usefixtures("short_search")
def test_a_search_gives_up_and_says_where(engine: DatabaseEngine) -> None:
    push_named(engine, ["hit", *["miss"] * 13, "hit", "miss"])

    pages = all_pages_down(browser(Filter(name="hit")))

    assert [numbers(page) for page in pages] == [[15], [], [1]]
    assert [page.searched_to for page in pages] == [11, 5, None]


@pytest.mark.usefixtures("short_search")
def test_a_search_upwards_gives_up_and_says_where(engine: DatabaseEngine) -> None:
    push_named(engine, ["miss"] * 4 + ["hit"] + ["miss"] * 10)
    looking = browser(Filter(name="hit"))

    first = looking.up(1)
    assert first.newer_above is not None
    second = looking.up(first.newer_above)

    assert (numbers(first), first.searched_to, first.newer_above) == ([5], 7, 7)
    assert (numbers(second), second.searched_to) == ([], 13)


def test_a_search_that_takes_too_long_gives_up_as_well(
    engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "_SLICE_EVENTS", 2)
    monkeypatch.setattr(browse, "_SEARCH_FOR_S", -1.0)
    push_named(engine, ["miss"] * 9)

    page = browser(Filter(name="hit")).down()

    assert (page.searched_to, page.older_at) == (8, 7)


def test_an_event_is_found_by_its_number(engine: DatabaseEngine) -> None:
    push(engine, make_chain(1, 20_000))
    store = inspect_store(STORE)

    found = find_event(store, 20_000, max_args_chars=1_000)

    assert found is not None
    assert (found.seq_num, found.parent_seq_num, found.ordinal) == (20_000, 1, 2)
    for number in (0, 2, 2**53, 10**30):
        assert find_event(store, number, max_args_chars=1_000) is None
