"""A fault of the database meets every request; one line for all of them is enough."""

import logging
import threading
import time

_LOG_EVERY_S = 10.0


class FaultLog:
    """Logs the first fault, then at most one in 10 s, with how many went by in between.

    Args:
        logger: where the warnings go.
        what: how they begin, such as "the database is unavailable".
    """

    def __init__(self, logger: logging.Logger, what: str) -> None:
        self._logger = logger
        self._what = what
        self._lock = threading.Lock()
        self._logged_at = -_LOG_EVERY_S
        self._passed_over = 0

    def add(self, cause: BaseException, *, now: float | None = None) -> None:
        """Take note of a fault; ``now`` is of a monotonic clock, in seconds."""
        now = time.monotonic() if now is None else now
        with self._lock:
            if now - self._logged_at < _LOG_EVERY_S:
                self._passed_over += 1
                return
            passed_over, self._passed_over, self._logged_at = self._passed_over, 0, now
        self._logger.warning("%s (%d more before): %s", self._what, passed_over, cause)
