"""Many at once: exactly one wins, nothing is given twice, nothing is lost."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.chat_conformance.expiry import LONG_MS, SHORT_MS, outlive
from tests.chat_conformance.subjects.subject import Subject
from tests.conftest import Figure

SETTERS = 100
RACERS = 64
CONSUMERS = 16
ENTRIES = 96


@pytest.mark.parametrize("before", ["missing", "expired"])
async def test_one_of_many_sets_a_key(crew: Sequence[Subject], before: str, figure: Figure) -> None:
    rounds = figure(usually=5, drill=50)
    keys = [f"dedupe:slack:{number}" for number in range(rounds)]
    if before == "expired":
        for key in keys:
            await crew[0].set(key, "expired", SHORT_MS)
        await outlive(crew[0], SHORT_MS)

    for key in keys:
        outcomes = await asyncio.gather(
            *(one_of(crew, n).set_if_not_exists(key, n, LONG_MS) for n in range(SETTERS))
        )
        assert Counter(outcomes) == {True: 1, False: SETTERS - 1}
        assert await crew[0].get(key) == outcomes.index(True)


@pytest.mark.parametrize("before", ["free", "expired", "released", "freed by force"])
async def test_one_of_many_gets_a_lock(
    crew: Sequence[Subject], before: str, figure: Figure
) -> None:
    for number in range(figure(usually=2, drill=20)):
        thread_id = f"slack:C1:{number}"
        await bring_about(before, crew[0], thread_id)

        locks = await asyncio.gather(
            *(one_of(crew, n).acquire_lock(thread_id, LONG_MS) for n in range(RACERS))
        )

        (lock,) = [lock for lock in locks if lock is not None]
        assert await crew[-1].extend_lock(lock, LONG_MS) is True


async def test_a_lock_goes_from_hand_to_hand(crew: Sequence[Subject]) -> None:
    holders: list[int] = []
    most = 0
    turns = 0

    async def work(number: int) -> None:
        nonlocal most, turns
        subject = one_of(crew, number)
        while (lock := await subject.acquire_lock("thread", LONG_MS)) is None:
            pass
        holders.append(number)
        most = max(most, len(holders))
        await subject.get("something to wait for")
        holders.remove(number)
        turns += 1
        await subject.release_lock(lock)

    await asyncio.gather(*(work(number) for number in range(8)))

    assert (most, turns) == (1, 8)


async def test_nothing_waits_unseen_and_nothing_is_given_twice(crew: Sequence[Subject]) -> None:
    for number in range(ENTRIES):
        await crew[0].enqueue("thread", entry(number), ENTRIES)

    async def consume(number: int) -> list[int]:
        taken = []
        for _ in range(ENTRIES // CONSUMERS):
            # as many are asked for as there are: not one answer may be null
            found = await one_of(crew, number).dequeue("thread")
            assert found is not None
            taken.append(found["message"]["number"])
        return taken

    taken = await asyncio.gather(*(consume(number) for number in range(CONSUMERS)))

    assert sorted(number for numbers in taken for number in numbers) == list(range(ENTRIES))
    assert all(numbers == sorted(numbers) for numbers in taken)
    assert await crew[0].dequeue("thread") is None


async def test_each_producers_entries_stay_in_order(crew: Sequence[Subject]) -> None:
    async def produce(producer: int) -> None:
        for number in range(12):
            await one_of(crew, producer).enqueue("thread", entry((producer, number)), 1_000)

    await asyncio.gather(*(produce(producer) for producer in range(8)))

    taken = [await crew[0].dequeue("thread") for _ in range(96)]
    numbers = [tuple(entry["message"]["number"]) for entry in taken]
    for producer in range(8):
        assert [n for p, n in numbers if p == producer] == list(range(12))


async def test_producers_together_keep_the_bound(crew: Sequence[Subject]) -> None:
    depths = await asyncio.gather(
        *(one_of(crew, n).enqueue("thread", entry(n), 10) for n in range(RACERS))
    )

    assert max(depths) == 10
    assert await crew[0].queue_depth("thread") == 10
    numbers = {(await crew[0].dequeue("thread"))["message"]["number"] for _ in range(10)}
    assert len(numbers) == 10
    assert await crew[0].dequeue("thread") is None


async def test_appends_together_keep_the_bound(crew: Sequence[Subject]) -> None:
    await asyncio.gather(
        *(
            one_of(crew, n).append_to_list("list", n, max_length=10, ttl_ms=LONG_MS)
            for n in range(RACERS)
        )
    )

    found = await crew[0].get_list("list")
    assert len(set(found)) == len(found) == 10


async def test_appends_together_are_all_kept_and_each_writers_in_order(
    crew: Sequence[Subject],
) -> None:
    async def write(writer: int) -> None:
        for number in range(12):
            await one_of(crew, writer).append_to_list("list", [writer, number], max_length=96)

    await asyncio.gather(*(write(writer) for writer in range(8)))

    found = await crew[0].get_list("list")
    assert len(found) == 96
    for writer in range(8):
        assert [number for w, number in found if w == writer] == list(range(12))


async def test_an_expired_list_is_begun_by_one_and_kept_by_all(crew: Sequence[Subject]) -> None:
    await crew[0].append_to_list("list", "expired", ttl_ms=SHORT_MS)
    await outlive(crew[0], SHORT_MS)

    await asyncio.gather(*(one_of(crew, n).append_to_list("list", n) for n in range(RACERS)))

    assert sorted(await crew[0].get_list("list")) == list(range(RACERS))


def one_of(crew: Sequence[Subject], number: int) -> Subject:
    """The clients in turn."""
    return crew[number % len(crew)]


async def bring_about(before: str, subject: Subject, thread_id: str) -> None:
    """Let a lock be ``free``, ``expired``, ``released`` or ``freed by force``."""
    if before == "free":
        return
    lock = await subject.acquire_lock(thread_id, SHORT_MS if before == "expired" else LONG_MS)
    match before:
        case "expired":
            await outlive(subject, SHORT_MS)
        case "released":
            await subject.release_lock(lock)
        case "freed by force":
            await subject.force_release_lock(thread_id)


def entry(number: Any) -> dict[str, Any]:
    """A queue entry that lasts for as long as any test."""
    now_ms = int(time.time() * 1_000)
    return {"message": {"number": number}, "enqueuedAt": now_ms, "expiresAt": now_ms + LONG_MS}
