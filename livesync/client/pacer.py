"""When to try again: one pause for all that a client has under way."""

import asyncio
import logging
from random import random

from groundwork.backoff import Backoff
from livesync.client.errors import LostError
from livesync.client.pause import Pause

logger = logging.getLogger(__name__)

RECONNECT = Backoff(first_s=0.1, most_s=15.0)
"""Between two attempts to reach a server."""


class Pacer:
    """Lets attempts through at once until one fails, then with growing pauses until one works.

    Args:
        name: of the store, for the log.
    """

    def __init__(self, name: str) -> None:
        self.pause = Pause()
        """Ended when the client is closed."""
        self._name = name
        self.last_reason: str | None = None
        """Why the last attempt failed; None: it did not."""
        self._failures = 0
        self._not_before = 0.0

    async def turn(self) -> None:
        """Wait until the next attempt may begin."""
        left_s = self._not_before - asyncio.get_running_loop().time()
        if left_s > 0:
            await self.pause.wait(left_s)

    def failed(self, error: LostError) -> None:
        """An attempt has failed, or what it made has ended."""
        self.last_reason = str(error)
        now = asyncio.get_running_loop().time()
        if error.at_once or now < self._not_before:
            return  # of several that were lost together the first one counts
        if self._failures == 0:
            logger.warning("store %r: %s; trying again", self._name, error)
        self._not_before = now + RECONNECT.pause_s(self._failures, random)
        self._failures += 1

    def worked(self) -> None:
        """An answer has come."""
        if self._failures:
            logger.warning("store %r: back again", self._name)
        self._failures = 0
        self._not_before = 0.0
        self.last_reason = None
