"""Coroutines started by hand end as others do, and within their time."""

import asyncio

import pytest

from groundwork.by_hand import TimeUpError, within

LONG_S = 600.0


async def answer(*, after_turns: int) -> str:
    for _ in range(after_turns):
        await asyncio.sleep(0)
    return "done"


async def fail(error: BaseException, *, after_turns: int) -> None:
    await answer(after_turns=after_turns)
    raise error


@pytest.mark.parametrize("turns", [0, 1, 5])
async def test_what_ends_in_its_time_gives_what_it_returns(turns: int) -> None:
    assert await within(LONG_S, answer(after_turns=turns)) == "done"


@pytest.mark.parametrize("turns", [0, 1])
@pytest.mark.parametrize("error", [KeyError("own"), TimeoutError("own")])
async def test_what_it_raises_is_its_own(error: Exception, turns: int) -> None:
    with pytest.raises(type(error), match="own"):
        await within(LONG_S, fail(error, after_turns=turns))


async def test_what_never_waits_is_never_late() -> None:
    assert await within(0.0, answer(after_turns=0)) == "done"


async def test_what_waits_too_long_is_cancelled() -> None:
    ended: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(TimeUpError, match=r"has not returned for 0\.01 s"):
        await within(0.01, hang())
    assert ended == ["cancelled"]


async def test_whoever_waits_for_it_can_be_cancelled() -> None:
    began = asyncio.Event()

    async def hang() -> None:
        began.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(within(LONG_S, hang()))
    await began.wait()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_futures_and_time_limits_of_its_own_work_inside() -> None:
    async def work() -> str:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        loop.call_soon(future.set_result, "heard")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.0):
                await asyncio.Event().wait()
        return await future

    assert await within(LONG_S, work()) == "heard"
