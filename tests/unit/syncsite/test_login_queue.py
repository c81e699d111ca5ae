"""Passwords are checked a few at a time, and nothing else waits for them."""

import asyncio
from typing import Any

import pytest

from syncsite.login_queue import AT_ONCE, WAITING_MAX, LoginQueue


class Site:
    """An ASGI application that answers when it is told to."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(0)
        self.inside = 0
        self.most_inside = 0
        self.answered = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        await self.turns.acquire()
        self.inside -= 1
        self.answered += 1


class Visitors:
    """Requests under way through the queue, and what they were answered without the site."""

    def __init__(self) -> None:
        self.site = Site()
        self.queue = LoginQueue(self.site)
        self.sent: list[Any] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, count: int, method: str = "POST", path: str = "/admin/login/") -> None:
        scope: Any = {"method": method, "path": path, "root_path": ""}
        for _ in range(count):
            self.tasks.append(asyncio.create_task(self.queue(scope, self._receive, self._send)))
        await asyncio.sleep(0)

    async def finish(self) -> None:
        for _ in self.tasks:
            self.site.turns.release()
        async with asyncio.timeout(30):
            await asyncio.gather(*self.tasks)

    async def _receive(self) -> Any:
        raise AssertionError("the queue reads nothing")

    async def _send(self, message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def visitors() -> Visitors:
    return Visitors()


async def test_a_few_log_ins_are_checked_at_once_and_the_others_wait(visitors: Visitors) -> None:
    await visitors.come(AT_ONCE + WAITING_MAX)

    assert visitors.site.inside == AT_ONCE
    await visitors.finish()
    assert visitors.site.answered == AT_ONCE + WAITING_MAX
    assert visitors.site.most_inside == AT_ONCE
    assert visitors.sent == []


async def test_one_more_is_told_to_come_back(visitors: Visitors) -> None:
    await visitors.come(AT_ONCE + WAITING_MAX + 1)

    start, _ = visitors.sent
    assert start["status"] == 503
    assert (b"retry-after", b"5") in start["headers"]
    await visitors.finish()


async def test_places_become_free_again(visitors: Visitors) -> None:
    await visitors.come(AT_ONCE + WAITING_MAX)
    await visitors.finish()
    await visitors.come(1)

    assert visitors.site.inside == 1
    assert visitors.sent == []
    await visitors.finish()


@pytest.mark.parametrize(("method", "path"), [("GET", "/admin/login/"), ("POST", "/admin/")])
async def test_nothing_else_waits(visitors: Visitors, method: str, path: str) -> None:
    await visitors.come(AT_ONCE + WAITING_MAX)
    await visitors.come(3, method, path)

    assert visitors.site.inside == AT_ONCE + 3
    await visitors.finish()
