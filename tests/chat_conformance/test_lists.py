"""appendToList, getList: values in the order in which they came, with one ttl for all."""

import asyncio
import math
from contextlib import suppress
from typing import Any

import pytest

from tests.chat_conformance.expiry import LONG_MS, PATIENCES_MS, SHORT_MS, outlive
from tests.chat_conformance.subjects.subject import UNDEFINED, CallFailedError, Feature, Subject

KEY = "msg-history:slack:C1:1.2"

UNBOUNDED = [
    pytest.param(UNDEFINED, id="left out"),
    pytest.param(None, id="null"),
    pytest.param(0, id="0"),
]


async def test_a_missing_list_is_empty(subject: Subject) -> None:
    assert await subject.get_list(KEY) == []


async def test_values_stay_in_their_order(subject: Subject) -> None:
    for value in range(20):
        await subject.append_to_list(KEY, value)

    assert await subject.get_list(KEY) == list(range(20))
    assert await subject.get_list("msg-history:slack:C1:1.3") == []


async def test_calls_that_are_not_awaited_stay_in_their_order(subject: Subject) -> None:
    await asyncio.gather(*(subject.append_to_list(KEY, value) for value in range(100)))

    assert await subject.get_list(KEY) == list(range(100))


async def test_equal_values_are_all_kept(subject: Subject) -> None:
    for value in ("a", "a", None, None, "a"):
        await subject.append_to_list(KEY, value)

    assert await subject.get_list(KEY) == ["a", "a", None, None, "a"]


async def test_a_long_list_comes_whole(subject: Subject) -> None:
    # more than a frame holds
    texts = [f"{number} {'x' * 30_000}" for number in range(60)]
    await asyncio.gather(*(subject.append_to_list(KEY, text) for text in texts))

    assert await subject.get_list(KEY) == texts


async def test_the_newest_stay(subject: Subject) -> None:
    for value in range(5):
        await subject.append_to_list(KEY, value, max_length=3)

    assert await subject.get_list(KEY) == [2, 3, 4]


async def test_the_last_bound_counts(subject: Subject) -> None:
    for value in range(5):
        await subject.append_to_list(KEY, value, max_length=5)
    await subject.append_to_list(KEY, 5, max_length=2)
    assert await subject.get_list(KEY) == [4, 5]

    await subject.append_to_list(KEY, "tombstone", max_length=1)
    assert await subject.get_list(KEY) == ["tombstone"]

    await subject.append_to_list(KEY, "more", max_length=10)
    assert await subject.get_list(KEY) == ["tombstone", "more"]


@pytest.mark.parametrize("max_length", UNBOUNDED)
async def test_no_bound_is_no_bound(subject: Subject, max_length: Any) -> None:
    for value in range(12):
        await subject.append_to_list(KEY, value, max_length=max_length)

    assert await subject.get_list(KEY) == list(range(12))


@pytest.mark.parametrize(
    "bound", [{"max_length": -1}, {"ttl_ms": -5}], ids=["maxLength -1", "ttlMs -5"]
)
async def test_a_bound_below_0_loses_nothing(subject: Subject, bound: dict[str, int]) -> None:
    await subject.append_to_list(KEY, "old")
    # refused, or as if it were left out
    with suppress(CallFailedError):
        await subject.append_to_list(KEY, "new", **bound)

    assert await subject.get_list(KEY) in (["old"], ["old", "new"])


async def test_a_list_expires_as_a_whole(subject: Subject) -> None:
    await subject.append_to_list(KEY, "first")
    await subject.append_to_list(KEY, "second", ttl_ms=SHORT_MS)
    await outlive(subject, SHORT_MS)

    assert await subject.get_list(KEY) == []


async def test_a_ttl_is_renewed_for_all(subject: Subject) -> None:
    for ttl_ms in PATIENCES_MS:
        key = f"{KEY}:{ttl_ms}"
        await subject.append_to_list(key, "first", ttl_ms=ttl_ms)
        await subject.append_to_list(key, "second", ttl_ms=LONG_MS)
        if await subject.get_list(key) == ["first", "second"]:
            break
    await outlive(subject, ttl_ms)

    assert await subject.get_list(key) == ["first", "second"]


@pytest.mark.parametrize("second_ttl_ms", UNBOUNDED)
async def test_an_append_without_ttl_leaves_the_lists_own(
    subject: Subject, second_ttl_ms: Any
) -> None:
    for ttl_ms in PATIENCES_MS:
        key = f"{KEY}:{ttl_ms}"
        await subject.append_to_list(key, "first", ttl_ms=ttl_ms)
        await subject.append_to_list(key, "second", ttl_ms=second_ttl_ms)
        if await subject.get_list(key) == ["first", "second"]:
            break
    await outlive(subject, ttl_ms)

    assert await subject.get_list(key) == []


@pytest.mark.needs(Feature.NUMBERS)
@pytest.mark.parametrize("ttl_ms", [math.nan, math.inf], ids=["NaN", "Infinity"])
async def test_a_ttl_that_is_no_number_is_for_ever(subject: Subject, ttl_ms: float) -> None:
    await subject.append_to_list(KEY, "value", ttl_ms=ttl_ms)
    await outlive(subject, SHORT_MS)

    assert await subject.get_list(KEY) == ["value"]


@pytest.mark.parametrize("ttl_ms", [UNDEFINED, LONG_MS], ids=["without", "with"])
async def test_an_expired_list_starts_afresh(subject: Subject, ttl_ms: Any) -> None:
    await subject.append_to_list(KEY, "first")
    await subject.append_to_list(KEY, "second", ttl_ms=SHORT_MS)
    await outlive(subject, SHORT_MS)
    await subject.append_to_list(KEY, "third", ttl_ms=ttl_ms)
    await outlive(subject, SHORT_MS)

    assert await subject.get_list(KEY) == ["third"]


async def test_expired_values_do_not_count_for_the_bound(subject: Subject) -> None:
    for value in range(3):
        await subject.append_to_list(KEY, value, ttl_ms=SHORT_MS, max_length=3)
    await outlive(subject, SHORT_MS)
    for value in range(3, 6):
        await subject.append_to_list(KEY, value, max_length=3)

    assert await subject.get_list(KEY) == [3, 4, 5]


async def test_one_append_bounds_and_renews(subject: Subject) -> None:
    for value in range(4):
        await subject.append_to_list(KEY, value, max_length=2, ttl_ms=LONG_MS)
    assert await subject.get_list(KEY) == [2, 3]

    await subject.append_to_list(KEY, 4, max_length=2, ttl_ms=SHORT_MS)
    await outlive(subject, SHORT_MS)
    assert await subject.get_list(KEY) == []


async def test_a_ttl_may_have_a_fraction(subject: Subject) -> None:
    await subject.append_to_list(KEY, "value", ttl_ms=LONG_MS + 0.5)

    assert await subject.get_list(KEY) == ["value"]
