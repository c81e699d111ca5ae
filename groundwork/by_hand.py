"""Coroutines that are started by hand: most need no task and no timer, as they never wait."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class TimeUpError(Exception):
    """Something took longer than it may."""


class Started(Generic[T]):
    """The rest of a coroutine whose first ``send`` gave ``waited_for``; to be awaited at once."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], waited_for: Any) -> None:
        self._coroutine = coroutine
        self._waited_for = waited_for

    def __await__(self) -> Generator[Any, Any, T]:
        waited_for = self._waited_for
        while True:
            try:
                try:
                    value = yield waited_for
                except BaseException as error:
                    waited_for = self._coroutine.throw(error)
                else:
                    waited_for = self._coroutine.send(value)
            except StopIteration as done:
                result: T = done.value
                return result


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns; when it has waited for so long it is cancelled.

    Raises:
        TimeUpError: that was so.

    Whatever else it raises is its own, a ``TimeoutError`` included.
    """
    try:
        waited_for = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    try:
        async with asyncio.timeout(seconds) as limit:
            return await Started(work, waited_for)
    except TimeoutError as error:
        if limit.expired():
            raise TimeUpError(f"has not returned for {seconds:g} s") from error
        raise
