"""Work that goes on by itself, and how long to wait for it."""

import asyncio

from chatstate.adapters.background import Background, Patience, settle
from chatstate.adapters.transport import Reply


async def test_what_was_begun_goes_on_and_is_told() -> None:
    told: asyncio.Queue[Reply | Exception] = asyncio.Queue()
    background = Background()

    async def answered() -> Reply:
        await asyncio.sleep(0)
        return Reply("true", 1)

    async def failed() -> Reply:
        raise LookupError

    background.call(answered(), told.put_nowait)
    background.call(failed(), told.put_nowait)

    outcomes = [await told.get(), await told.get()]
    assert Reply("true", 1) in outcomes
    assert any(isinstance(outcome, LookupError) for outcome in outcomes)


async def test_patience_ends_for_each_in_its_time() -> None:
    patience = Patience(0.01)

    first = patience.future()
    await asyncio.sleep(0.001)
    second = patience.future()
    await first
    await second

    assert await patience.future() is None


async def test_patience_keeps_nothing_of_what_was_done_in_time() -> None:
    patience = Patience(3_600)

    for _ in range(100):
        settle(patience.future())

    assert len(patience) == 1  # the last, until the next one comes


async def test_who_waits_hears_of_an_error_once() -> None:
    patience = Patience(3_600)
    future = patience.future()

    settle(future, LookupError())
    settle(future)

    assert isinstance(future.exception(), LookupError)
