"""On PostgreSQL somebody may hold a row or key for long; other keys must not wait for it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import connections
from msgspec import Raw

from chatstate.protocol.errors import KeyHeldError
from chatstate.protocol.operations import AppendToList, Get, GetList, Operation, Set
from chatstate.services.execute import execute, get_database, get_writer
from chatstate.storage import postgresql
from chatstate.storage.jobs import Job
from chatstate.storage.steps import Piece
from tests.clients import DEADLINE_S, until
from tests.integration.conftest import CHAT_ALIAS

pytestmark = [
    pytest.mark.parametrize("vendor", ["postgresql"], indirect=True),
    pytest.mark.usefixtures("chat_database"),
]

HELD = "held"


def put(key: str, value: int) -> Set:
    return Set(key=key, value=Raw(str(value).encode()))


def append(value: int, key: str = HELD) -> AppendToList:
    return AppendToList(key=key, value=Raw(str(value).encode()), request_id=f"{key} {value}")


async def do(*operations: Operation) -> Sequence[Any]:
    return await asyncio.wait_for(execute("bot", operations), DEADLINE_S)


def hold_row(driver: Any) -> None:
    """As somebody in a shell of the database would."""
    driver.execute("BEGIN")
    driver.execute("SELECT 1 FROM chatstate_cacheentry FOR UPDATE")
    driver.execute("SELECT 1 FROM chatstate_listhead FOR UPDATE")


def hold_key(driver: Any) -> None:
    """As another process of ours would that is stopped in the middle of a commit."""
    postgresql._begin(driver, [Job("bot", "default", [put(HELD, 0)])])


@asynccontextmanager
async def somebody_holds(hold: Any = hold_row) -> AsyncIterator[None]:
    """The cache entry and the list ``held``; they exist before."""
    await do(put(HELD, 0), append(0))
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        other = connections.create_connection(CHAT_ALIAS)
        other.connect()
        try:
            hold(other.connection)
            begun.set()
            assert done.wait(DEADLINE_S)
        finally:
            # a server lets go some time after a close, but before it answers a rollback
            other.connection.rollback()
            other.close()

    holding = asyncio.create_task(asyncio.to_thread(work))
    await asyncio.to_thread(begun.wait, DEADLINE_S)
    try:
        yield
    finally:
        done.set()
        await holding


@pytest.mark.parametrize("hold", [hold_row, hold_key])
async def test_a_key_that_somebody_holds_does_not_keep_others_waiting(hold: Any) -> None:
    get_writer(CHAT_ALIAS)._again_for_s = 60
    async with somebody_holds(hold):
        held = asyncio.create_task(do(append(1), put(HELD, 1), put("with it", 1)))
        await asyncio.sleep(0)
        for number in range(20):
            assert await do(put(f"free {number}", number)) == ["null"]
        follows = asyncio.create_task(do(append(2), Get(key=HELD)))
        assert await do(Get(key="free 1"), put("free", 1)) == ["1", "null"]
        assert not held.done()

    assert await held == ["null"] * 3
    assert await follows == ["null", "1"]
    (items,) = await do(GetList(key=HELD))
    assert isinstance(items, Piece)
    assert items.items == ["0", "1", "2"]


async def test_what_waits_for_a_key_is_told_so_together_and_nothing_of_it_is_done() -> None:
    get_writer(CHAT_ALIAS)._again_for_s = 0.05
    async with somebody_holds():
        held = [asyncio.create_task(do(append(number, "new"), put(HELD, 1))) for number in (1, 2)]
        free = asyncio.create_task(do(append(3, "free")))
        results = [await task for task in held]
        assert await free == ["null"]

    assert {type(result) for results_of in results for result in results_of} == {KeyHeldError}
    assert await do(Get(key=HELD), GetList(key="new")) == ["0", Piece(())]
    # their answers were not kept either: to ask again is to do it
    assert await do(append(1, "new"), put(HELD, 1)) == ["null", "null"]
    assert await do(Get(key=HELD)) == ["1"]


async def test_a_shard_that_somebody_holds_is_waited_for() -> None:
    def hold_shard(driver: Any) -> None:
        driver.execute("BEGIN")
        number = postgresql._lock_number("", "default")
        driver.execute("SELECT pg_advisory_xact_lock(%s)", (number,))

    get_writer(CHAT_ALIAS)._again_for_s = 60
    database = get_database(CHAT_ALIAS)
    async with somebody_holds(hold_shard):
        held = asyncio.create_task(do(put(HELD, 1)))
        await until(lambda: bool(database._held))
        assert not held.done()

    assert await held == ["null"]
