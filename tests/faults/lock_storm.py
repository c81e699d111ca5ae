"""Workers that fight for one lock, and whether two of them ever held it at once."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import NamedTuple

from tests.chat_client import ChatClient
from tests.site_process import SiteProcess

THREAD = "slack:C1:1.2"
LONGEST_PAUSE_S = 0.03
"""Between two attempts of a worker, so that the server has time for more than to refuse."""


class Hold(NamedTuple):
    """A lock was certainly held from one instant to the other, by the clock of this process.

    The server began to count after it was asked: the lock lasts for its ttl from then at least.
    """

    fence: int
    since: float
    until: float


async def storm(
    sites: Sequence[SiteProcess], token: str, *, workers: int, rounds: int, ttl_ms: int, seed: int
) -> list[Hold]:
    """Let workers, in turn on the sites, take one lock ``rounds`` times in all.

    One time in four a worker does not give it back: the next one has to wait for the ttl.
    """
    holds: list[Hold] = []
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(ChatClient(sites[number % len(sites)], token))
            for number in range(workers)
        ]
        tasks = [
            _work(client, holds, rounds, ttl_ms, random.Random(f"{seed} {number}"))
            for number, client in enumerate(clients)
        ]
        await asyncio.gather(*tasks)
    return holds


def overlaps(holds: Sequence[Hold]) -> list[tuple[Hold, Hold]]:
    """Neighbours of which the second began before the first had ended, or has the lower fence."""
    ordered = sorted(holds, key=lambda hold: hold.since)
    return [
        (one, other)
        for one, other in pairwise(ordered)
        if other.since < one.until or other.fence <= one.fence
    ]


async def _work(
    client: ChatClient, holds: list[Hold], rounds: int, ttl_ms: int, chance: random.Random
) -> None:
    while len(holds) < rounds:
        asked_at = time.monotonic()
        request_id = f"{chance.getrandbits(64):x}"
        lock = await client.do_surely(
            "acquireLock", threadId=THREAD, ttlMs=ttl_ms, requestId=request_id
        )
        if lock is None:
            await asyncio.sleep(chance.uniform(0, LONGEST_PAUSE_S))
            continue
        since, expires = time.monotonic(), asked_at + ttl_ms / 1_000
        is_forgotten = chance.random() < 0.25
        if since < expires:  # an answer that took longer tells of a lock that may be over
            until = expires if is_forgotten else min(time.monotonic(), expires)
            holds.append(Hold(lock["fence"], since, until))
        if not is_forgotten:
            await client.do_surely("releaseLock", threadId=THREAD, token=lock["token"])
