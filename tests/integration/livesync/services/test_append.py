"""Pushes that arrive together commit together, on a real database."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import DatabaseError
from pytest_django import Settings

from livesync.protocol.errors import (
    CommitUnknownError,
    ServerAheadError,
    StorageUnavailableError,
    StoreHeldError,
)
from livesync.services.append import add_listener, get_writer, remove_listener, submit
from livesync.storage import database, get_readers
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Append, Appended
from livesync.storage.errors import CommitBrokenError
from tests.factories import make_event, make_events
from tests.storage import STATEMENTS, STORE, execute, find, hold_store, numbers, own_connection

pytestmark = pytest.mark.usefixtures("services")

only_postgresql = pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)


async def submit_together(*appends: Append) -> list[Any]:
    """What became of appends that shared a commit: they arrived while another was under way."""
    writer = get_writer()
    held, begun = threading.Event(), threading.Event()
    commit = writer._commit

    def hold(jobs: Any) -> Any:
        writer._commit = commit
        begun.set()
        assert held.wait(20)
        return commit(jobs)

    writer._commit = hold
    first = submit(Append("the one before", None, ()))
    await asyncio.to_thread(begun.wait, 20)
    waiting = [submit(append) for append in appends]
    held.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


async def in_thread(function: Any, *args: Any) -> Any:
    """Storage is asked from threads, never from a loop."""
    return await get_readers().run(function, *args)


def plant_event(store_id: str) -> None:
    """Put an event where the store's next one would go, so that its insert fails."""
    ((key,),) = find(f"SELECT id FROM livesync_store WHERE store_id = '{store_id}'")
    with own_connection() as other:
        execute(
            other,
            "INSERT INTO livesync_storedevent (store_id, generation, seq_num, parent_seq_num,"
            " ordinal, name, client_id, session_id, created_at)"
            " VALUES (%s, 1, 1, 0, 1, 'planted', '', '', '')",
            key,
        )


async def test_each_caller_gets_its_own_outcome(engine: DatabaseEngine) -> None:
    a, ahead, b = await submit_together(
        Append("a", None, make_events(2)),
        Append("a", None, make_events(2)),
        Append("b", None, make_events(1)),
    )

    assert isinstance(a, Appended)
    assert isinstance(ahead, ServerAheadError)
    assert isinstance(b, Appended)
    assert await in_thread(numbers, engine, "a") == [1, 2]


async def test_a_batch_that_cannot_be_stored_harms_no_neighbour(
    engine: DatabaseEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await submit(Append("poisoned", None, ()))
    await in_thread(plant_event, "poisoned")
    heard: list[str] = []

    def listen(appended: Any) -> None:
        heard.extend(a.store_id for a in appended if a.batch)

    add_listener(listen)
    a, poisoned, b = await submit_together(
        Append("a", None, make_events(2)),
        Append("poisoned", None, make_events(1)),
        Append("b", None, make_events(1)),
    )
    remove_listener(listen)

    assert (a.head, b.head) == (2, 1)
    assert isinstance(poisoned, DatabaseError)
    assert heard == ["a", "b"]
    assert await in_thread(numbers, engine, "a") == [1, 2]
    assert "a job failed" in caplog.text


async def test_a_commit_whose_outcome_nobody_knows_is_done_again_for_none_of_its_callers(
    engine: DatabaseEngine, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_after(connection: Any, plan: Any, now: Any) -> None:
        write_and_commit(connection, plan, now)
        if len(plan.outcomes) > 1:
            raise CommitBrokenError(plan)

    def out_of_reach(*_: Any) -> Any:
        raise CommitUnknownError

    write_and_commit = STATEMENTS[vendor].write_and_commit
    monkeypatch.setattr(STATEMENTS[vendor], "write_and_commit", break_after)
    monkeypatch.setattr(database, "_holds", out_of_reach)
    outcomes = await submit_together(
        Append("a", None, make_events(2)), Append("b", None, make_events(1))
    )

    # stored they are: to say that the server is ahead of them would be a lie
    assert [type(outcome) for outcome in outcomes] == [CommitUnknownError] * 2
    assert await in_thread(numbers, engine, "a") == [1, 2]


@asynccontextmanager
async def held_store(engine: DatabaseEngine) -> AsyncIterator[None]:
    """A store of one event, and somebody else who holds it."""
    await submit(Append(STORE, None, make_events(1)))
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with own_connection() as other:
            hold_store(other)
            held.set()
            assert done.wait(20)

    holding = get_readers().run(hold)
    await asyncio.to_thread(held.wait, 20)
    try:
        yield
    finally:
        done.set()
        await holding


@only_postgresql
async def test_a_store_that_somebody_holds_does_not_keep_others_waiting(
    engine: DatabaseEngine,
) -> None:
    get_writer()._again_for_s = 60
    async with held_store(engine):
        locked = submit(Append(STORE, None, make_events(1, after=1)))
        for head in range(20):
            await submit(Append("free", None, make_events(1, after=head)))
        follows = submit(Append(STORE, None, make_events(1, after=2)))
        for name in map(str, range(10)):
            await submit(Append(name, None, make_events(1)))
        assert not locked.done()

    assert [(await locked).head, (await follows).head] == [2, 3]
    assert await in_thread(numbers, engine) == [1, 2, 3]


@only_postgresql
async def test_what_waits_for_a_store_that_somebody_holds_is_told_so_together(
    engine: DatabaseEngine,
) -> None:
    get_writer()._again_for_s = 0.05
    async with held_store(engine):
        *locked, free = await submit_together(
            *[Append(STORE, None, make_events(1, after=head)) for head in range(1, 5)],
            Append("free", None, make_events(1)),
        )

    assert {type(outcome) for outcome in locked} == {StoreHeldError}
    assert free.head == 1
    assert (await submit(Append(STORE, None, make_events(1, after=1)))).head == 2


async def test_what_waits_to_be_stored_has_a_limit(
    engine: DatabaseEngine, settings: Settings
) -> None:
    settings.LIVESYNC = {"pending_max_bytes": 7_000}
    large = [make_event(1, args=json.dumps("x" * 3_000))]

    first, second, empty = await submit_together(
        Append("a", None, large), Append("b", None, large), Append("c", None, ())
    )

    assert first.head == 1
    assert type(second) is StorageUnavailableError
    assert empty.head == 0
    assert (await submit(Append("b", None, large))).head == 1


async def test_a_thousand_pushes_at_once_are_stored_in_order(engine: DatabaseEngine) -> None:
    waiting = [
        submit(Append(f"store {n % 10}", None, [make_event(n // 10 + 1)])) for n in range(1_000)
    ]

    outcomes = await asyncio.gather(*waiting)

    assert {outcome.head for outcome in outcomes[-10:]} == {100}
    for n in range(10):
        assert await in_thread(numbers, engine, f"store {n}") == list(range(1, 101))
