"""The five spaces of names, each with one thing to put there and to find again.

A number from 0 to 99 is put under a name, and found again; None is found where nothing is.
"""

import time
from abc import ABC, abstractmethod

from tests.chat_conformance.expiry import LONG_MS
from tests.chat_conformance.subjects.subject import Lock, Subject


class Space(ABC):
    """One kind of thing that has a name, as one test uses it."""

    name: str

    @abstractmethod
    async def put(self, subject: Subject, key: str, number: int) -> None:
        """Put a number under a name that is free."""

    @abstractmethod
    async def find(self, subject: Subject, key: str) -> int | None:
        """The number under a name; None: there is none. May take it away."""

    @abstractmethod
    async def end(self, subject: Subject, key: str) -> None:
        """Take away what is under the name."""


class Subscriptions(Space):
    name = "subscriptions"

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    async def put(self, subject: Subject, key: str, number: int) -> None:
        assert await subject.is_subscribed(key) is False
        await subject.subscribe(key)
        self._numbers[key] = number

    async def find(self, subject: Subject, key: str) -> int | None:
        return self._numbers.get(key, -1) if await subject.is_subscribed(key) else None

    async def end(self, subject: Subject, key: str) -> None:
        await subject.unsubscribe(key)


class Locks(Space):
    name = "locks"

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, Lock]] = {}

    async def put(self, subject: Subject, key: str, number: int) -> None:
        lock = await subject.acquire_lock(key, LONG_MS)
        assert lock is not None, f"the lock of {key!r} is held already"
        assert lock["threadId"] == key
        self._held[key] = number, lock

    async def find(self, subject: Subject, key: str) -> int | None:
        number, lock = self._held[key]
        return number if await subject.extend_lock(lock, LONG_MS) else None

    async def end(self, subject: Subject, key: str) -> None:
        await subject.force_release_lock(key)


class Cache(Space):
    name = "cache"

    async def put(self, subject: Subject, key: str, number: int) -> None:
        assert await subject.set_if_not_exists(key, number), f"there is a value at {key!r}"

    async def find(self, subject: Subject, key: str) -> int | None:
        number: int | None = await subject.get(key)
        return number

    async def end(self, subject: Subject, key: str) -> None:
        await subject.delete(key)


class Lists(Space):
    name = "lists"

    async def put(self, subject: Subject, key: str, number: int) -> None:
        await subject.append_to_list(key, number)

    async def find(self, subject: Subject, key: str) -> int | None:
        items = await subject.get_list(key)
        assert len(items) <= 1
        return items[0] if items else None

    async def end(self, subject: Subject, key: str) -> None:
        await subject.append_to_list(key, None, max_length=1)


class Queues(Space):
    name = "queues"

    async def put(self, subject: Subject, key: str, number: int) -> None:
        now_ms = int(time.time() * 1_000)
        entry = {
            "message": {"number": number},
            "enqueuedAt": now_ms,
            "expiresAt": now_ms + LONG_MS,
        }
        depth = await subject.enqueue(key, entry, 10)
        assert depth == 1, f"something waits at {key!r}"

    async def find(self, subject: Subject, key: str) -> int | None:
        entry = await subject.dequeue(key)
        return None if entry is None else entry["message"]["number"]

    async def end(self, subject: Subject, key: str) -> None:
        await subject.dequeue(key)


SPACES: list[type[Space]] = [Subscriptions, Locks, Cache, Lists, Queues]
