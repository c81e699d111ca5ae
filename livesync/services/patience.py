"""Try again while the database is out of reach: who asks over HTTP has nothing else to wait for."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from livesync.protocol.errors import StorageUnavailableError

T = TypeVar("T")

_AGAIN_EVERY_S = 0.25


async def patiently(attempt: Callable[[], Awaitable[T]], *, for_s: float) -> T:
    """What ``attempt`` returns; it is called again while the database is out of reach.

    Args:
        attempt: leaves nothing behind when it raises ``StorageUnavailableError``. Whatever else it
            raises, an unknown outcome of a COMMIT above all, is not tried again.
        for_s: how long to try again; 0 for once only. An attempt under way is not cut short.

    Raises:
        StorageUnavailableError: the last attempt's, when the time is up.
    """
    give_up_at = time.monotonic() + for_s
    while True:
        try:
            return await attempt()
        except StorageUnavailableError:
            if time.monotonic() >= give_up_at:
                raise
        await asyncio.sleep(_AGAIN_EVERY_S)
