"""Queues of bots, when consumers are many and servers die: F-42."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack

from tests.chat_client import ChatClient, create_token
from tests.clients import until
from tests.conftest import Figure
from tests.site_process import SiteProcess

THREAD = "slack:C1:1.2"
LIFE_MS = 3_600_000


async def test_every_entry_is_taken_once_although_the_server_dies(
    site: SiteProcess, figure: Figure
) -> None:
    token = create_token(site)
    items = figure(usually=1_000, drill=10_000)
    consumers, kills = figure(usually=4, drill=16), figure(usually=3, drill=20)
    taken: list[int] = []

    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(ChatClient(site, token)) for _ in range(consumers + 1)
        ]
        filling = asyncio.create_task(_fill(clients[0], items))
        work = [asyncio.create_task(_consume(client, taken, items)) for client in clients[1:]]
        chance = random.Random(42)
        for _ in range(kills):
            goal = min(len(taken) + chance.randrange(20, 60), items - kills)
            await until(lambda goal=goal: len(taken) >= goal)
            await asyncio.to_thread(_kill_and_start, site)
        await asyncio.gather(filling, *work)

    counts = Counter(taken)
    assert sorted(counts) == list(range(items))
    assert max(counts.values()) == 1


async def test_a_queue_is_never_said_to_be_empty_while_it_is_not(
    site: SiteProcess, figure: Figure
) -> None:
    token = create_token(site)
    items = figure(usually=500, drill=10_000)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(ChatClient(site, token)) for _ in range(16)]
        await _fill(clients[0], items)

        answers = await asyncio.gather(
            *(_take(clients[number % 16], f"t{number}") for number in range(items))
        )

    assert sorted(answer["message"] for answer in answers) == list(range(items))


async def _fill(client: ChatClient, items: int) -> None:
    for number in range(items):
        await client.do_surely(
            "enqueue",
            threadId=THREAD,
            message=number,
            enqueuedAt=0,
            expiresAt=LIFE_MS,
            maxSize=0,
            requestId=f"e{number}",
        )


async def _consume(client: ChatClient, taken: list[int], items: int) -> None:
    asked = 0
    while len(taken) < items:
        # the same request id until there is an answer: then what was taken is not taken twice
        entry = await _take(client, f"{id(client):x}-{asked}")
        asked += 1
        if entry is None:
            await asyncio.sleep(0.001)  # until something is put in
        else:
            taken.append(entry["message"])


async def _take(client: ChatClient, request_id: str) -> dict[str, int]:
    entry: dict[str, int] = await client.do_surely("dequeue", threadId=THREAD, requestId=request_id)
    return entry


def _kill_and_start(site: SiteProcess) -> None:
    site.kill()
    site.start()
