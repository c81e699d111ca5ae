"""Calls that are refused, and calls that look as if they should be and are not.

After a refusal nothing is stored, and the same client goes on.
"""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.bad_inputs.chatstate.call_rows import (
    DATE_MAX_MS,
    ENTRY,
    FAR_MS,
    KEY,
    LOCK,
    LONG_MS,
    THREAD,
    Call,
    groups,
)
from tests.bad_inputs.chatstate.ways import ADAPTERS
from tests.chat_conformance.subjects.subject import CallFailedError, Subject

TEN_YEARS_MS = 10 * 366 * 86_400_000


@pytest.mark.parametrize("rows", groups().values(), ids=list(groups()))
async def test_a_call_is_refused_by_code_and_field(
    subject: Subject, way: str, rows: Sequence[Call]
) -> None:
    for row in rows:
        if row.method == "releaseLock" and way in ADAPTERS:
            # a release is best effort: an adapter may keep it to itself that it did not succeed
            with suppress(CallFailedError):
                await subject.call(row.method, *row.arguments)
        else:
            await check_refused(subject, row)

    await check_untouched(subject)


@pytest.mark.parametrize("way", sorted(ADAPTERS), indirect=True)
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
async def test_b84_what_json_has_no_number_for_is_no_time(subject: Subject, number: float) -> None:
    for method, arguments, field in (
        ("acquireLock", (THREAD, number), "ttlMs"),
        ("extendLock", (LOCK, number), "ttlMs"),
        ("enqueue", (THREAD, {**ENTRY, "enqueuedAt": number}, 10), "enqueuedAt"),
        ("enqueue", (THREAD, {**ENTRY, "expiresAt": number}, 10), "expiresAt"),
    ):
        with pytest.raises(CallFailedError) as refused:
            await subject.call(method, *arguments)
        assert (refused.value.code, refused.value.field) == ("invalid", field)

    await check_untouched(subject)


@pytest.mark.parametrize("ttl_ms", [2**53, 1e300, TEN_YEARS_MS + 1])
async def test_b84_a_ttl_of_more_than_ten_years_is_ten_years(
    subject: Subject, ttl_ms: float
) -> None:
    await subject.set(KEY, "value", ttl_ms)
    await subject.append_to_list(KEY, "value", ttl_ms=ttl_ms)
    lock = await subject.acquire_lock(THREAD, ttl_ms)

    assert await subject.get(KEY) == "value"
    assert await subject.get_list(KEY) == ["value"]
    assert await subject.acquire_lock(THREAD, 1) is None
    assert 0 <= time.time() * 1_000 + TEN_YEARS_MS - lock["expiresAt"] < 600_000


@pytest.mark.parametrize(
    "token",
    ["", "\x00", "\ud83d", "*", "%", "' OR 1=1 --", "x" * 1_040_000],
    ids=["empty", "NUL", "half a character", "star", "percent", "SQL", "a frame full of letters"],
)
async def test_b85_no_text_is_a_token_but_the_token(subject: Subject, token: str) -> None:
    held = await subject.acquire_lock(THREAD, LONG_MS)
    wrong = {**held, "token": token}

    assert await subject.extend_lock(wrong, 1) is False
    await subject.release_lock(wrong)

    assert await subject.extend_lock(held, LONG_MS) is True


@pytest.mark.parametrize("way", sorted(ADAPTERS), indirect=True)
async def test_b87_a_value_of_two_megabytes_is_refused_by_name(subject: Subject) -> None:
    value = "x" * 2_000_000
    for method, arguments, field in (
        ("set", (KEY, value), "value"),
        ("appendToList", (KEY, value), "value"),
        ("enqueue", (THREAD, {**ENTRY, "message": value}, 10), "message"),
    ):
        with pytest.raises(CallFailedError) as refused:
            await subject.call(method, *arguments)
        assert (refused.value.code, refused.value.field) == ("too_large", field)

    await check_untouched(subject)


@pytest.mark.parametrize("levels", [513, 900, 2_000])
async def test_b87_a_value_that_is_too_deep_is_refused(subject: Subject, levels: int) -> None:
    value: Any = 0
    for _ in range(levels):
        value = [value]

    with room_to_nest(), pytest.raises(CallFailedError) as refused:
        await subject.set(KEY, value)

    assert (refused.value.code, refused.value.field) == ("invalid", "value")
    await check_untouched(subject)


@pytest.mark.parametrize("bound", [10**9, 2**53 - 1])
async def test_b88_a_large_bound_is_a_bound(subject: Subject, bound: int) -> None:
    await subject.append_to_list(KEY, "value", max_length=bound)

    assert await subject.get_list(KEY) == ["value"]
    assert await subject.enqueue(THREAD, ENTRY, bound) == 1


async def test_b89_an_entry_of_the_past_is_never_given(subject: Subject) -> None:
    entry = {**ENTRY, "enqueuedAt": 0, "expiresAt": 1}

    assert await subject.enqueue(THREAD, entry, 10) == 0
    assert await subject.dequeue(THREAD) is None
    assert await subject.enqueue(THREAD, ENTRY, 10) == 1


async def test_b89_an_entry_may_last_as_long_as_dates_do(subject: Subject) -> None:
    entry = {**ENTRY, "expiresAt": DATE_MAX_MS}

    assert await subject.enqueue(THREAD, entry, 10) == 1
    assert await subject.dequeue(THREAD) == entry


@pytest.mark.parametrize("beyond_ms", [DATE_MAX_MS + 1, 1e300])
async def test_b89_an_end_beyond_all_dates_is_the_last_date(
    subject: Subject, beyond_ms: float
) -> None:
    assert await subject.enqueue(THREAD, {**ENTRY, "expiresAt": beyond_ms}, 10) == 1
    assert await subject.enqueue(THREAD, {**ENTRY, "expiresAt": -beyond_ms}, 10) == 1

    assert await subject.dequeue(THREAD) == {**ENTRY, "expiresAt": DATE_MAX_MS}
    assert await subject.dequeue(THREAD) is None


async def check_refused(subject: Subject, row: Call) -> None:
    """Check that a call is refused as its row says, briefly."""
    print(row.what)  # shown with a failure
    with pytest.raises(CallFailedError) as refused:
        await subject.call(row.method, *row.arguments)

    assert (refused.value.code, refused.value.field) == (row.code, row.field)
    assert row.field in str(refused.value)
    assert len(str(refused.value)) < 200


async def check_untouched(subject: Subject) -> None:
    """Check that nothing is stored under the names of the rows, and that a new value can be."""
    assert await subject.is_subscribed(THREAD) is False
    assert await subject.get(KEY) is None
    assert await subject.get_list(KEY) == []
    assert await subject.queue_depth(THREAD) == 0
    assert await subject.extend_lock(LOCK, LONG_MS) is False
    lock = await subject.acquire_lock(THREAD, LONG_MS)
    assert lock["expiresAt"] < FAR_MS
    await subject.set(KEY, "value")
    assert await subject.get(KEY) == "value"


@contextmanager
def room_to_nest() -> Iterator[None]:
    """Let this process write values that are deeper than Python usually takes."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(usual)
