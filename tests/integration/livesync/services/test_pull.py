"""The pages after a cursor: cut to the limits, contiguous, of one history."""

import asyncio
import json
from itertools import chain
from typing import Any

import pytest
from pytest_django import Settings

from livesync.protocol.errors import BackendIdMismatchError, StorageUnavailableError
from livesync.services import patience, pull
from livesync.services.pull import Page, read_pages
from livesync.storage import get_engine, get_readers
from livesync.storage.database import DatabaseEngine
from tests.clients import page_numbers
from tests.factories import make_chain, make_event, make_events
from tests.integration.livesync.conftest import Store


async def pages_of(store: Store, after: int = 0, **options: Any) -> list[Page]:
    backend_id = options.pop("backend_id", None)
    return [page async for page in read_pages(store.id, backend_id, after, **options)]


def numbers_of(pages: list[Page]) -> list[list[int]]:
    return [page_numbers(json.loads(page.text)) for page in pages]


def flat(lists: list[list[int]]) -> list[int]:
    return list(chain.from_iterable(lists))


def infos_of(pages: list[Page]) -> list[Any]:
    """What follows each page: a count, or nothing."""
    infos = [json.loads(page.text)["pageInfo"] for page in pages]
    return [info["remaining"] if info["_tag"] == "MoreKnown" else info["_tag"] for info in infos]


async def test_a_store_nobody_has_spoken_of_is_made_with_one_empty_page(store: Store) -> None:
    (page,) = await pages_of(store)

    assert json.loads(page.text) == {
        "batch": [],
        "pageInfo": {"_tag": "NoMore"},
        "backendId": await store.backend_id(),
    }
    assert (page.last_seq_num, page.size) == (0, len(page.text))


async def test_many_who_meet_a_new_store_at_once_are_told_one_backend_id(store: Store) -> None:
    found = await asyncio.gather(*(pages_of(store) for _ in range(20)))

    assert len({page.backend_id for pages in found for page in pages}) == 1


@pytest.mark.parametrize(
    ("count", "sizes", "infos"),
    [
        (1, [1], ["NoMore"]),
        (100, [100], ["NoMore"]),
        (101, [100, 1], [1, "NoMore"]),
        (250, [100, 100, 50], [150, 50, "NoMore"]),
        (1_250, [100] * 12 + [50], [*range(1_150, 0, -100), "NoMore"]),
    ],
)
async def test_pages_hold_a_hundred_events_and_the_last_one_says_so(
    store: Store, count: int, sizes: list[int], infos: list[Any]
) -> None:
    await store.push(make_events(count))

    pages = await pages_of(store)

    assert [len(numbers) for numbers in numbers_of(pages)] == sizes
    assert infos_of(pages) == infos
    assert flat(numbers_of(pages)) == list(range(1, count + 1))


async def test_pages_keep_to_their_bytes(store: Store, settings: Settings) -> None:
    settings.LIVESYNC = {"page_max_bytes": 10_000, "read_max_bytes": 25_000}
    await store.push(make_events(60, args=json.dumps("é" * 1_000, ensure_ascii=False)))

    pages = await pages_of(store)

    assert max(len(page.text.encode()) for page in pages) <= 10_000
    assert [len(numbers) for numbers in numbers_of(pages)[:2]] == [4, 4]
    assert flat(numbers_of(pages)) == list(range(1, 61))
    assert infos_of(pages)[0] == 60 - len(numbers_of(pages)[0])


async def test_an_event_over_the_limit_goes_alone(store: Store, settings: Settings) -> None:
    settings.LIVESYNC = {"page_max_bytes": 10_000, "read_max_bytes": 20_000}
    large = make_event(3, args=json.dumps("x" * 50_000))
    await store.push([*make_events(2), large, *make_events(2, after=3)])

    assert numbers_of(await pages_of(store)) == [[1, 2], [3], [4, 5]]


async def test_the_first_read_is_one_page_and_the_next_ones_are_longer(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.push(make_events(350))
    engine, asked = get_engine(), []

    def read(*args: Any, max_events: int, max_bytes: int) -> Any:
        asked.append(max_events)
        return engine.read(*args, max_events=max_events, max_bytes=max_bytes)

    monkeypatch.setattr(pull, "get_engine", lambda: Stub(read))
    await pages_of(store)

    assert asked == [100, 1_000]


class Stub:
    """An engine whose reads are the test's."""

    def __init__(self, read: Any) -> None:
        self.read = read


@pytest.mark.parametrize(
    ("after", "numbers"), [(0, [5, 6, 20_000]), (5, [6, 20_000]), (7, [20_000]), (20_000, [])]
)
async def test_pages_start_right_behind_the_cursor(
    store: Store, after: int, numbers: list[int]
) -> None:
    done = await store.push(make_chain(5, 6, 20_000))

    (page,) = await pages_of(store, after, backend_id=done.backend_id)

    assert numbers_of([page]) == [numbers]
    assert page.last_seq_num == 20_000


async def test_a_reader_ahead_of_the_store_gets_an_empty_page_and_the_log_a_warning(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await store.push(make_events(3))

    (page,) = await pages_of(store, 9)

    assert (numbers_of([page]), page.last_seq_num) == ([[]], 9)
    assert "has seen 9, but the head is 3" in caplog.text


async def test_a_reader_of_another_history_is_told(store: Store) -> None:
    done = await store.push(make_events(1))

    with pytest.raises(BackendIdMismatchError) as mismatch:
        await pages_of(store, 0, backend_id="another history")

    assert mismatch.value.expected == done.backend_id


async def test_a_reset_between_two_reads_ends_the_pages(store: Store) -> None:
    await store.push(make_events(250))
    pages = read_pages(store.id, None, 0)
    await anext(pages)

    done = await get_readers().run(get_engine().reset, store.id)

    with pytest.raises(BackendIdMismatchError) as mismatch:
        async for _ in pages:
            pass
    assert mismatch.value.expected == done.backend_id


async def test_what_comes_between_two_reads_is_in_the_later_pages(store: Store) -> None:
    await store.push(make_events(150))
    pages = read_pages(store.id, None, 0)
    first = await anext(pages)
    await store.push(make_events(10, after=150))

    rest = [page async for page in pages]

    assert flat(numbers_of([first, *rest])) == list(range(1, 161))


class Away:
    """A database that is out of reach for some reads."""

    def __init__(self, engine: DatabaseEngine, reads: int) -> None:
        self._engine = engine
        self.reads = reads

    def read(self, *args: Any, **options: Any) -> Any:
        if self.reads:
            self.reads -= 1
            raise StorageUnavailableError
        return self._engine.read(*args, **options)


@pytest.fixture
def away(engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch) -> Away:
    away = Away(engine, reads=3)
    monkeypatch.setattr(pull, "get_engine", lambda: away)
    monkeypatch.setattr(patience, "_AGAIN_EVERY_S", 0.001)
    return away


async def test_a_patient_reader_waits_for_the_database(store: Store, away: Away) -> None:
    await store.push(make_events(3))

    pages = await pages_of(store, retry_for_s=30)

    assert numbers_of(pages) == [[1, 2, 3]]


async def test_each_read_is_given_its_time(store: Store, away: Away) -> None:
    away.reads = 0
    await store.push(make_events(250))
    pages = read_pages(store.id, None, 0, retry_for_s=30)
    first = await anext(pages)
    away.reads = 3

    rest = [page async for page in pages]

    assert flat(numbers_of([first, *rest])) == list(range(1, 251))


async def test_an_impatient_reader_is_told_at_once(store: Store, away: Away) -> None:
    with pytest.raises(StorageUnavailableError):
        await pages_of(store)

    assert away.reads == 2


async def test_patience_has_an_end(store: Store, away: Away) -> None:
    away.reads = 1_000_000

    with pytest.raises(StorageUnavailableError):
        await pages_of(store, retry_for_s=0.05)
