"""What is said of a fault of the database: all to the log, next to nothing to clients."""

import logging
import threading
import time

from livesync.protocol.errors import StorageUnavailableError

logger = logging.getLogger(__name__)

_LOG_EVERY_S = 10.0  # a fault meets every request; one line for all of them is enough


class FaultLog:
    """Logs the first fault, then at most one in 10 s, with how many went by in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logged_at = -_LOG_EVERY_S
        self._passed_over = 0

    def add(self, cause: BaseException, *, now: float) -> None:
        """Take note of a fault; ``now`` is of a monotonic clock, in seconds."""
        with self._lock:
            if now - self._logged_at < _LOG_EVERY_S:
                self._passed_over += 1
                return
            passed_over, self._passed_over, self._logged_at = self._passed_over, 0, now
        logger.warning("the database is unavailable (%d more before): %s", passed_over, cause)


_log = FaultLog()
_OVERLOAD = RuntimeError("pushes come faster than they are stored: pending_max_bytes are waiting")


def note(cause: BaseException) -> None:
    """Log a fault."""
    _log.add(cause, now=time.monotonic())


def overloaded() -> StorageUnavailableError:
    """The error for a push that there is no room for, as too much waits to be stored."""
    return unavailable(_OVERLOAD)


def unavailable(cause: BaseException) -> StorageUnavailableError:
    """The error to raise from ``cause``, which is logged."""
    note(cause)
    return StorageUnavailableError()
