"""acquireLock, extendLock, releaseLock, forceReleaseLock: one holder at a time, for a while."""

import time
from typing import Any

import pytest

from tests.chat_conformance.expiry import LONG_MS, PATIENCES_MS, SHORT_MS, becomes, outlive
from tests.chat_conformance.subjects.subject import Feature, Lock, Subject

THREAD = "slack:C1:1.2"


async def test_a_lock_says_what_a_bot_needs_and_nothing_else(subject: Subject) -> None:
    started_ms = time.time() * 1_000
    lock = await subject.acquire_lock(THREAD, LONG_MS)
    ended_ms = time.time() * 1_000

    assert lock.keys() == {"threadId", "token", "expiresAt"}
    assert lock["threadId"] == THREAD
    assert isinstance(lock["token"], str)
    assert lock["token"]
    # by the client's own clock, in whole milliseconds
    assert started_ms - 1 <= lock["expiresAt"] - LONG_MS <= ended_ms + 1


async def test_a_held_lock_is_given_to_nobody(subject: Subject) -> None:
    await acquire(subject)

    assert await subject.acquire_lock(THREAD, LONG_MS) is None
    assert await subject.acquire_lock(THREAD, SHORT_MS) is None


async def test_a_lock_is_for_its_thread_alone(subject: Subject) -> None:
    await acquire(subject)

    assert await subject.acquire_lock("slack:C1:1.3", LONG_MS) is not None


async def test_no_two_acquisitions_have_one_token(subject: Subject) -> None:
    tokens = set()
    for _ in range(32):
        lock = await acquire(subject)
        tokens.add(lock["token"])
        await subject.release_lock(lock)

    assert len(tokens) == 32


async def test_an_expired_lock_is_free(subject: Subject) -> None:
    await acquire(subject, SHORT_MS)
    await outlive(subject, SHORT_MS)

    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_a_refused_acquisition_does_not_prolong_the_lock(subject: Subject) -> None:
    await acquire(subject, SHORT_MS)
    taken = None
    while taken is None:
        taken = await subject.acquire_lock(THREAD, LONG_MS)

    assert await subject.acquire_lock(THREAD, LONG_MS) is None


@pytest.mark.parametrize("ttl_ms", [0, -1, -5_000])
async def test_a_lock_without_time_is_given_and_free_again(subject: Subject, ttl_ms: int) -> None:
    lock = await subject.acquire_lock(THREAD, ttl_ms)

    assert lock["token"]
    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


@pytest.mark.parametrize("ttl_ms", [LONG_MS + 0.4, LONG_MS + 0.5])
async def test_a_ttl_may_have_a_fraction(subject: Subject, ttl_ms: float) -> None:
    lock = await acquire(subject, ttl_ms)

    assert await subject.extend_lock(lock, ttl_ms) is True
    assert await subject.acquire_lock(THREAD, LONG_MS) is None


async def test_a_fraction_of_a_millisecond_expires(subject: Subject) -> None:
    await acquire(subject, 0.4)
    await outlive(subject, 1)

    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_a_released_lock_is_free(subject: Subject) -> None:
    await subject.release_lock(await acquire(subject))

    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_a_release_needs_the_token(subject: Subject) -> None:
    lock = await acquire(subject)
    await subject.release_lock({**lock, "token": f"{lock['token']}x"})
    await subject.release_lock({**lock, "token": lock["token"][:-1]})

    assert await subject.acquire_lock(THREAD, LONG_MS) is None


async def test_a_release_needs_the_thread(subject: Subject) -> None:
    lock = await acquire(subject)
    await subject.release_lock({**lock, "threadId": "slack:C1:1.3"})

    assert await subject.acquire_lock(THREAD, LONG_MS) is None


async def test_a_copy_of_a_lock_can_be_released(subject: Subject) -> None:
    lock = await acquire(subject)
    await subject.release_lock({"threadId": THREAD, "token": lock["token"], "expiresAt": 0})

    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_a_second_release_does_nothing(subject: Subject) -> None:
    lock = await acquire(subject)
    await subject.release_lock(lock)
    await subject.release_lock(lock)
    await acquire(subject)
    await subject.release_lock(lock)

    assert await subject.acquire_lock(THREAD, LONG_MS) is None


async def test_a_lock_that_never_was_can_be_released(subject: Subject) -> None:
    await subject.release_lock(no_lock())

    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_a_release_after_the_end_leaves_the_successor(subject: Subject) -> None:
    late = await acquire(subject, SHORT_MS)
    await outlive(subject, SHORT_MS)
    await subject.release_lock(late)
    await acquire(subject)
    await subject.release_lock(late)

    assert await subject.acquire_lock(THREAD, LONG_MS) is None


async def test_an_extended_lock_outlives_its_first_ttl(subject: Subject) -> None:
    for first_ms in PATIENCES_MS:
        lock = await acquire(subject, first_ms)
        if await subject.extend_lock(lock, LONG_MS):
            break
    await outlive(subject, first_ms)

    assert await subject.acquire_lock(THREAD, LONG_MS) is None


async def test_an_extension_may_shorten(subject: Subject) -> None:
    lock = await acquire(subject)

    assert await subject.extend_lock(lock, SHORT_MS) is True
    await outlive(subject, SHORT_MS)
    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_a_lock_can_be_extended_again_and_again(subject: Subject) -> None:
    lock = await acquire(subject)

    assert [await subject.extend_lock(lock, LONG_MS) for _ in range(3)] == [True, True, True]


@pytest.mark.parametrize("ttl_ms", [0, -1])
async def test_an_extension_without_time_ends_the_lock(subject: Subject, ttl_ms: int) -> None:
    lock = await acquire(subject)

    assert await subject.extend_lock(lock, ttl_ms) is True
    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_an_extension_needs_the_token(subject: Subject) -> None:
    lock = await acquire(subject)

    assert await subject.extend_lock({**lock, "token": "of nobody"}, SHORT_MS) is False
    await outlive(subject, SHORT_MS)
    assert await subject.acquire_lock(THREAD, LONG_MS) is None


async def test_an_expired_lock_is_not_revived(subject: Subject) -> None:
    lock = await acquire(subject, SHORT_MS)
    await outlive(subject, SHORT_MS)

    assert await subject.extend_lock(lock, LONG_MS) is False
    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_a_released_lock_is_not_revived(subject: Subject) -> None:
    lock = await acquire(subject)
    await subject.release_lock(lock)

    assert await subject.extend_lock(lock, LONG_MS) is False
    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_a_lock_that_never_was_is_not_extended(subject: Subject) -> None:
    assert await subject.extend_lock(no_lock(), LONG_MS) is False
    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_an_extension_after_the_end_leaves_the_successor(subject: Subject) -> None:
    late = await acquire(subject, SHORT_MS)
    await outlive(subject, SHORT_MS)
    successor = await acquire(subject)

    assert await subject.extend_lock(late, SHORT_MS) is False
    await outlive(subject, SHORT_MS)
    assert await subject.extend_lock(successor, LONG_MS) is True


async def test_a_lock_can_be_freed_by_force(subject: Subject) -> None:
    await acquire(subject)
    await subject.force_release_lock(THREAD)

    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_force_on_a_free_lock_does_nothing(subject: Subject) -> None:
    await subject.force_release_lock(THREAD)
    await subject.force_release_lock(THREAD)

    assert await subject.acquire_lock(THREAD, LONG_MS) is not None


async def test_force_is_for_its_thread_alone(subject: Subject) -> None:
    await acquire(subject)
    await subject.force_release_lock("slack:C1:1.3")

    assert await subject.acquire_lock(THREAD, LONG_MS) is None


async def test_whoever_was_forced_out_does_not_touch_the_successor(subject: Subject) -> None:
    late = await acquire(subject)
    await subject.force_release_lock(THREAD)
    successor = await acquire(subject)

    assert await subject.extend_lock(late, SHORT_MS) is False
    await subject.release_lock(late)
    await outlive(subject, SHORT_MS)
    assert await subject.acquire_lock(THREAD, LONG_MS) is None
    assert await subject.extend_lock(successor, LONG_MS) is True


@pytest.mark.needs(Feature.OBJECTS)
async def test_the_callers_lock_stays_as_it_was_handed_out(subject: Subject) -> None:
    before, after = await subject.lock_through_extend(THREAD, LONG_MS, 2 * LONG_MS)

    assert before == after


async def acquire(subject: Subject, ttl_ms: float = LONG_MS) -> Lock:
    """Take the lock of the thread, as soon as it is free."""
    attempts: list[Any] = []

    async def is_taken() -> bool:
        attempts.append(await subject.acquire_lock(THREAD, ttl_ms))
        return attempts[-1] is not None

    await becomes(is_taken, expected=True)
    lock: Lock = attempts[-1]
    return lock


def no_lock() -> Lock:
    """A lock that nobody was given."""
    return {"threadId": THREAD, "token": "of nobody", "expiresAt": 4_102_444_800_000}
