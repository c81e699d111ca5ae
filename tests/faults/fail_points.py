"""F-03's fail points: a site with ``tuned_settings`` dies at one of them while it is armed.

A point is armed by a file that names it. The product knows nothing of this: what it calls is
wrapped from outside when the site starts.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created

VARIABLE = "FAULTS_FAIL_POINT_FILE"
KILLED = 137
"""The exit code that a shell shows for SIGKILL."""

BEFORE_COMMIT = "the events are inserted, the transaction is not committed"
AFTER_COMMIT = "the transaction is committed, nobody has heard of it"
AMID_NEWS = "some live pulls were told, the others and the pusher were not"
AFTER_ACK = "everybody was told"


class Trigger:
    """Arms a site whose environment names this file, and disarms it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def environment(self) -> dict[str, str]:
        return {VARIABLE: str(self._path)}

    def arm(self, point: str) -> None:
        self._path.write_text(point)

    def disarm(self) -> None:
        self._path.unlink()

    def is_armed(self, point: str) -> bool:
        return self._path.exists() and self._path.read_text() == point


class FailPoints(AppConfig):
    name = "tests.faults"

    def ready(self) -> None:
        path = os.environ.get(VARIABLE)
        if path:
            _plant(Trigger(Path(path)))


def _plant(trigger: Trigger) -> None:
    from livesync.services.live_pull import LivePull
    from livesync.storage import get_engine
    from livesync.transports.consumers import SyncConsumer

    def reach(point: str) -> None:
        if trigger.is_armed(point):
            os._exit(KILLED)

    engine: Any = get_engine()
    commit: Callable[[Sequence[Any]], Any] = engine.commit

    def commit_and_die(appends: Sequence[Any]) -> Any:
        outcomes = commit(appends)
        if any(append.batch for append in appends):
            reach(AFTER_COMMIT)
        return outcomes

    offer, send_now = LivePull.offer, SyncConsumer.send_now

    def offer_and_die(pull: LivePull, news: Any) -> None:
        offer(pull, news)
        reach(AMID_NEWS)

    def send_and_die(consumer: SyncConsumer, text: str) -> None:
        send_now(consumer, text)
        if '"value":{}' in text:
            reach(AFTER_ACK)

    def watch(connection: Any, **_: Any) -> None:
        if connection.alias == engine.alias:
            connection.connection.set_trace_callback(Transaction(reach).take)

    engine.commit = commit_and_die
    LivePull.offer = offer_and_die
    SyncConsumer.send_now = send_and_die
    connection_created.connect(watch, weak=False)


class Transaction:
    """Sees every statement of a SQLite connection before it is carried out."""

    def __init__(self, reach: Callable[[str], None]) -> None:
        self._reach = reach
        self._has_events = False

    def take(self, statement: str) -> None:
        """A COMMIT behind inserted events is the point."""
        if "INSERT INTO livesync_storedevent" in statement:
            self._has_events = True
        elif statement == "COMMIT":
            if self._has_events:
                self._reach(BEFORE_COMMIT)
            self._has_events = False
