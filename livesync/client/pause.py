"""Waits that end at once when their owner is closed."""

import asyncio


class Pause:
    """Waits for its owner, until ``end`` is called: then no more."""

    def __init__(self) -> None:
        self._has_ended = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as there is nothing more to wait for."""
        try:
            async with asyncio.timeout(seconds):
                await self._has_ended.wait()
        except TimeoutError:
            return

    def end(self) -> None:
        """Let everybody who waits go on, now and from now on."""
        self._has_ended.set()
