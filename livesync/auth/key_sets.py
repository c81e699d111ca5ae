"""The JSON Web Key Set of an issuer, fetched by URL and kept for a while.

It is fetched in a thread of its own, by one caller at a time; those who come meanwhile wait for
the same answer.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from http.client import HTTPException
from urllib.parse import urlsplit

from groundwork.daemon_threads import DaemonThreads
from livesync.auth.json_fetch import fetch
from livesync.auth.keys import Key, UnusableKeyError, Wanted, candidates, read_key_set
from livesync.protocol.errors import AuthUnavailableError

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 10.0
"""Between two fetches at least, whatever tokens ask for."""

KEPT_FOR_S = 86_400.0
"""How long keys are used that cannot be fetched anew, as long as the issuer does not answer."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class KeySet:
    """The keys at one URL.

    Args:
        url: ``https:``, or ``http:`` of this machine.
        max_age_s: keys are fetched anew once they are older.
        timeout_s: how long a fetch may take.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        max_age_s: float,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._max_age_s = max_age_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._keys: list[Key] = []
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._threads = DaemonThreads(1, name="livesync-keys")

    async def candidates(self, wanted: Wanted) -> list[Key]:
        """Keys that may have made a signature; fetched anew when they are old, or have not the id.

        Raises:
            AuthUnavailableError: the issuer does not answer, and no keys are kept that may be used.
        """
        if self._age() > self._max_age_s:
            await self._refresh(lambda: self._age() > self._max_age_s)
        if not candidates(self._keys, wanted):
            await self._refresh(lambda: not candidates(self._keys, wanted))
        if self._age() > KEPT_FOR_S:
            raise AuthUnavailableError
        return candidates(self._keys, wanted)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    async def _refresh(self, is_needed: Callable[[], bool]) -> None:
        if not self._may_try():
            return
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._refresh_in_thread, is_needed)

    def _refresh_in_thread(self, is_needed: Callable[[], bool]) -> None:
        if not (self._may_try() and is_needed()):
            return  # somebody else has fetched them while this caller waited
        try:
            self._keys = read_key_set(fetch(self._url, timeout_s=self._timeout_s))
            self._fetched_at = self._clock()
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            # its text may hold the URL, and that a secret
            logger.warning("the key set of the issuer cannot be read: %s", _reason(error))
        finally:
            self._tried_at = self._clock()  # only now: who comes meanwhile is to wait as well

    def _may_try(self) -> bool:
        return self._tried_at is None or self._clock() - self._tried_at >= RETRY_AFTER_S


def is_trustworthy(url: str) -> bool:
    """Whether nobody between here and there can put other keys in the place of the issuer's."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    )


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, UnusableKeyError) else type(error).__name__
