"""What is said of a fault of the database: all to the log, next to nothing to clients."""

import logging

from groundwork.fault_log import FaultLog
from livesync.protocol.errors import StorageUnavailableError

_log = FaultLog(logging.getLogger(__name__), "the database is unavailable")
_OVERLOAD = RuntimeError("pushes come faster than they are stored: pending_max_bytes are waiting")


def note(cause: BaseException) -> None:
    """Log a fault."""
    _log.add(cause)


def overloaded() -> StorageUnavailableError:
    """The error for a push that there is no room for, as too much waits to be stored."""
    return unavailable(_OVERLOAD)


def unavailable(cause: BaseException) -> StorageUnavailableError:
    """The error to raise from ``cause``, which is logged."""
    note(cause)
    return StorageUnavailableError()
