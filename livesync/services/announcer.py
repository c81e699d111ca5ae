"""Sends the Django signals of ``livesync.signals``: in their order, in a thread of its own."""

import atexit
import logging
import queue
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from django.db import close_old_connections, connections
from django.dispatch import Signal

from livesync import metrics, signals
from livesync.conf import get_settings
from livesync.models import Store
from livesync.storage.engine import Appended, Reset

logger = logging.getLogger(__name__)

_SIGNAL_BYTES = 1_000  # of one that carries no events, about
_STOP_WITHIN_S = 5.0
_WARN_EVERY_S = 60.0


class _Announcement(NamedTuple):
    signal: Signal
    sender: type
    arguments: dict[str, Any]
    size: int


class Announcer:
    """One thread that sends signals in the order in which they were put here."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[_Announcement | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._waiting_bytes = 0
        self._warned_at = -_WARN_EVERY_S

    def put(
        self, signal: Signal, sender: type, arguments: dict[str, Any], size: int = _SIGNAL_BYTES
    ) -> None:
        """Send a signal soon, unless too many wait already; from any thread, never waits.

        Args:
            signal: what is sent.
            sender: its sender.
            arguments: its arguments.
            size: bytes that it takes in memory while it waits, about.
        """
        with self._lock:
            has_room = self._waiting_bytes + size <= get_settings().signals_max_bytes
            if has_room or not self._waiting_bytes:
                self._waiting_bytes += size
                self._queue.put(_Announcement(signal, sender, arguments, size))
                self._start()
                return
        self._note_dropped()

    def stop(self) -> None:
        """Send what waits, for at most five seconds; the next ``put`` starts anew."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(_STOP_WITHIN_S)

    def _start(self) -> None:
        # not alive: this is the child of a fork
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="livesync-signals", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        try:
            while (announcement := self._queue.get()) is not None:
                _send(announcement)
                with self._lock:
                    self._waiting_bytes -= announcement.size
        finally:
            connections.close_all()

    def _note_dropped(self) -> None:
        metrics.SIGNALS_DROPPED.inc()
        if time.monotonic() - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = time.monotonic()
            logger.warning("signals are dropped: their receivers are slower than the pushes")


@cache
def get_announcer() -> Announcer:
    """The announcer of this process."""
    announcer = Announcer()
    atexit.register(announcer.stop)
    return announcer


def announce(signal: Signal, sender: type, **arguments: Any) -> None:
    """Send a signal of ``livesync.signals`` soon, if anybody listens."""
    if signal.receivers:
        get_announcer().put(signal, sender, arguments)


def announce_appended(stored: Sequence[Appended]) -> None:
    """Tell of what one commit has stored, in that order."""
    if not (signals.events_pushed.receivers or signals.store_created.receivers):
        return
    for appended in stored:
        if appended.made_store:
            announce(
                signals.store_created,
                Store,
                store_id=appended.store_id,
                backend_id=appended.backend_id,
            )
        if appended.batch and signals.events_pushed.receivers:
            get_announcer().put(
                signals.events_pushed, Store, _pushed(appended), _memory_bytes(appended)
            )


def announce_reset(done: Reset, *, by: str) -> None:
    """Tell of a reset."""
    announce(signals.store_reset, Store, **done._asdict(), by=by)


def _pushed(appended: Appended) -> dict[str, Any]:
    return {
        "store_id": appended.store_id,
        "backend_id": appended.backend_id,
        "events": appended.batch,
        "parent": appended.parent,
        "head": appended.head,
        "created_at": datetime.fromisoformat(appended.created_at),
    }


def _memory_bytes(appended: Appended) -> int:
    return _SIGNAL_BYTES + sum(_SIGNAL_BYTES + len(event.args or "") for event in appended.batch)


def _send(announcement: _Announcement) -> None:
    # as Django does around a request: a connection that has gone bad is not used again
    close_old_connections()
    try:
        announcement.signal.send_robust(announcement.sender, **announcement.arguments)
    except BaseException:
        # an Exception of a receiver is logged in there; this one would end the thread
        logger.exception("a receiver of a signal tried to end the process")
    close_old_connections()
