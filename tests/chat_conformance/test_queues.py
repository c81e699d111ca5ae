"""enqueue, dequeue, queueDepth: messages that wait for the holder of a lock."""

import asyncio
import time
from typing import Any

import pytest

from tests.chat_conformance.expiry import SHORT_MS, outlive
from tests.chat_conformance.subjects.subject import Entry, Subject

THREAD = "slack:C1:1.2"
LIFE_MS = 90_000


async def test_an_empty_queue_gives_null(subject: Subject) -> None:
    assert await subject.dequeue(THREAD) is None
    assert await subject.queue_depth(THREAD) == 0


async def test_an_entry_comes_out_as_it_went_in(subject: Subject) -> None:
    sent = entry({"id": "m1", "text": "hello", "raw": {"ts": "1.2"}})

    assert await subject.enqueue(THREAD, sent, 10) == 1
    assert await subject.dequeue(THREAD) == sent


async def test_a_queue_is_for_its_thread_alone(subject: Subject) -> None:
    await subject.enqueue(THREAD, entry(1), 10)

    assert await subject.queue_depth("slack:C1:1.3") == 0
    assert await subject.dequeue("slack:C1:1.3") is None
    assert await subject.queue_depth(THREAD) == 1


async def test_the_first_to_come_is_the_first_to_go(subject: Subject) -> None:
    for number in range(5):
        await subject.enqueue(THREAD, entry(number), 10)

    assert await drain(subject) == [0, 1, 2, 3, 4]


async def test_the_order_is_that_of_arrival(subject: Subject) -> None:
    for number in range(3):
        await subject.enqueue(THREAD, entry(number, enqueued_ms_ago=number * 1_000), 10)

    assert await drain(subject) == [0, 1, 2]


async def test_calls_that_are_not_awaited_stay_in_their_order(subject: Subject) -> None:
    await asyncio.gather(*(subject.enqueue(THREAD, entry(number), 50) for number in range(50)))
    taken = await asyncio.gather(*(subject.dequeue(THREAD) for _ in range(50)))

    assert [taken["message"] for taken in taken] == [message(number) for number in range(50)]


async def test_the_depth_is_told(subject: Subject) -> None:
    assert [await subject.enqueue(THREAD, entry(number), 10) for number in range(3)] == [1, 2, 3]
    assert await subject.queue_depth(THREAD) == 3

    await subject.dequeue(THREAD)

    assert await subject.queue_depth(THREAD) == 2
    assert await subject.enqueue(THREAD, entry(3), 10) == 3


async def test_a_drained_queue_can_be_filled_again(subject: Subject) -> None:
    await subject.enqueue(THREAD, entry(1), 10)
    assert await drain(subject) == [1]
    await subject.enqueue(THREAD, entry(2), 10)

    assert await drain(subject) == [2]
    assert await subject.queue_depth(THREAD) == 0


async def test_a_full_queue_drops_the_oldest(subject: Subject) -> None:
    depths = [await subject.enqueue(THREAD, entry(number), 3) for number in range(5)]

    assert depths == [1, 2, 3, 3, 3]
    assert await subject.queue_depth(THREAD) == 3
    assert await drain(subject) == [2, 3, 4]


async def test_a_queue_of_one_keeps_the_newest(subject: Subject) -> None:
    depths = [await subject.enqueue(THREAD, entry(number), 1) for number in range(3)]

    assert depths == [1, 1, 1]
    assert await drain(subject) == [2]


async def test_the_last_bound_counts(subject: Subject) -> None:
    for number in range(5):
        await subject.enqueue(THREAD, entry(number), 10)

    assert await subject.enqueue(THREAD, entry(5), 2) == 2
    assert await drain(subject) == [4, 5]


async def test_a_bound_of_0_is_no_bound(subject: Subject) -> None:
    depths = [await subject.enqueue(THREAD, entry(number), 0) for number in range(12)]

    assert depths == list(range(1, 13))
    assert await drain(subject) == list(range(12))


async def test_an_expired_entry_is_neither_given_nor_counted(subject: Subject) -> None:
    await subject.enqueue(THREAD, entry(1, life_ms=SHORT_MS), 10)
    await outlive(subject, SHORT_MS)

    assert await subject.queue_depth(THREAD) == 0
    assert await subject.dequeue(THREAD) is None
    assert await subject.enqueue(THREAD, entry(2), 10) == 1
    assert await drain(subject) == [2]


async def test_what_is_behind_an_expired_entry_is_given(subject: Subject) -> None:
    await subject.enqueue(THREAD, entry(1, life_ms=SHORT_MS), 10)
    await subject.enqueue(THREAD, entry(2), 10)
    await outlive(subject, SHORT_MS)

    assert await subject.queue_depth(THREAD) == 1
    assert await drain(subject) == [2]


async def test_what_is_before_an_expired_entry_is_given(subject: Subject) -> None:
    await subject.enqueue(THREAD, entry(1), 10)
    await subject.enqueue(THREAD, entry(2, life_ms=SHORT_MS), 10)
    await outlive(subject, SHORT_MS)

    assert await subject.queue_depth(THREAD) == 1
    assert await drain(subject) == [1]


async def test_an_expired_entry_takes_no_place(subject: Subject) -> None:
    await subject.enqueue(THREAD, entry(1), 2)
    await subject.enqueue(THREAD, entry(2, life_ms=SHORT_MS), 2)
    await outlive(subject, SHORT_MS)

    assert await subject.enqueue(THREAD, entry(3), 2) == 2
    assert await drain(subject) == [1, 3]


async def test_an_entry_that_came_too_late_is_not_given(subject: Subject) -> None:
    await subject.enqueue(THREAD, entry(1, life_ms=-1_000, enqueued_ms_ago=5_000), 10)

    assert await subject.queue_depth(THREAD) == 0
    assert await subject.dequeue(THREAD) is None


@pytest.mark.parametrize("life_ms", [LIFE_MS, 30 * 86_400_000], ids=["90 s", "30 days"])
async def test_an_entry_that_has_time_waits(subject: Subject, life_ms: int) -> None:
    await subject.enqueue(THREAD, entry(1, life_ms=life_ms), 10)
    await outlive(subject, SHORT_MS)

    assert await drain(subject) == [1]


def message(number: int) -> dict[str, int]:
    """A message that can be told from others."""
    return {"number": number}


def entry(content: Any, *, life_ms: int = LIFE_MS, enqueued_ms_ago: int = 0) -> Entry:
    """What Chat SDK enqueues.

    Args:
        content: a number for one of ``message``, or the message itself.
        life_ms: from now until it expires.
        enqueued_ms_ago: how long ago it says that it was enqueued.
    """
    now_ms = int(time.time() * 1_000)
    return {
        "message": message(content) if isinstance(content, int) else content,
        "enqueuedAt": now_ms - enqueued_ms_ago,
        "expiresAt": now_ms + life_ms,
    }


async def drain(subject: Subject) -> list[int]:
    """The numbers of all messages that wait, taken out one by one."""
    numbers = []
    while (taken := await subject.dequeue(THREAD)) is not None:
        numbers.append(taken["message"]["number"])
    return numbers
