"""Delete what resets have left behind: in small transactions with pauses between, so that pushes
are not kept waiting.

Several processes may do so at the same time. One that dies leaves the rest to the others, or to
itself when it comes back: every reconcile tick looks whether there is work.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache

from django.db import connections

from livesync.protocol.errors import StorageUnavailableError
from livesync.storage import get_engine

logger = logging.getLogger(__name__)

PURGE_EVENTS = 1_000
"""Events deleted in one transaction: about 10 ms for which other writers wait."""

PAUSE_S = 0.02
"""Time between two transactions; SQLite lets waiting writers in only where there is a gap."""


def purge_ended_histories(pause: Callable[[float], object] = time.sleep) -> Iterator[int]:
    """Delete the events of all ended histories; gives the number of each small step.

    Args:
        pause: waits for some seconds between two steps.

    Raises:
        StorageUnavailableError: the database is out of reach; what was deleted stays deleted.
    """
    while deleted := get_engine().purge(max_events=PURGE_EVENTS):
        yield deleted
        pause(PAUSE_S)


class Purger:
    """Purges in a thread of its own, which ends with its work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_wanted = False
        self._stopping = threading.Event()

    def start(self) -> None:
        """See to it that everything ended by now gets deleted; returns at once."""
        with self._lock:
            self._is_wanted = True
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="livesync-purger", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """End the thread after the step it is at; what is left waits for another ``start``."""
        self._stopping.set()
        self.join()
        self._stopping.clear()

    def join(self) -> None:
        """Wait until there is nothing left to do."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        try:
            while self._is_work_left():
                self._purge()
        finally:
            connections.close_all()

    def _is_work_left(self) -> bool:
        with self._lock:
            is_wanted = self._is_wanted and not self._stopping.is_set()
            self._is_wanted = False
            if not is_wanted:
                self._thread = None
            return is_wanted

    def _purge(self) -> None:
        deleted = 0
        try:
            for count in purge_ended_histories(self._stopping.wait):
                deleted += count
                if self._stopping.is_set():
                    break
        except StorageUnavailableError as error:
            logger.warning("deleting the events of ended histories was interrupted: %s", error)
        except Exception:
            logger.exception("deleting the events of ended histories failed")
        if deleted:
            logger.info("%d events of ended histories were deleted", deleted)


@cache
def get_purger() -> Purger:
    """The purger of this process."""
    return Purger()


def purge_if_needed() -> None:
    """Start the purger if a reset has left anything behind, were it years ago."""
    if get_engine().has_ended_events():
        get_purger().start()
