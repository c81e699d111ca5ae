"""``manage.py cleanup_expired``: delete what has expired."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatstate.protocol.errors import UnavailableError
from chatstate.services.expiry import BATCH_ROWS, clean_up, count_expired
from chatstate.sharding import database_aliases
from chatstate.storage.expiry import Counts

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Command(BaseCommand):
    help = (
        "Delete expired locks, cache entries, lists, queue entries and kept answers from the"
        " database of every shard. Nobody can see them; this gives their space back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--batch-size",
            type=int,
            default=BATCH_ROWS,
            help="most rows deleted in one transaction (default: %(default)s)",
        )
        parser.add_argument("--max-seconds", type=float, help="stop a run after so long")
        parser.add_argument(
            "--interval",
            type=float,
            metavar="SECONDS",
            help="go on for ever, with so much time between the end of a run and the next",
        )
        parser.add_argument("--dry-run", action="store_true", help="count only")

    def handle(self, **options: Any) -> None:
        _check(options)
        if options["dry_run"]:
            self._count()
            return
        with _stop_on_signal() as stop:
            self._clean_up(stop, **options)

    def _count(self) -> None:
        for alias in database_aliases():
            try:
                self.stdout.write(f"{alias}: would delete {_text(count_expired(alias))}")
            except UnavailableError as error:
                raise CommandError(f"{alias}: {error}") from error

    def _clean_up(
        self,
        stop: threading.Event,
        *,
        interval: float | None,
        batch_size: int,
        max_seconds: float | None,
        **_: Any,
    ) -> None:
        while True:
            ends_s = None if max_seconds is None else time.monotonic() + max_seconds
            failed = self._run(stop, batch_size, ends_s)
            if interval is None and failed:
                raise CommandError("; ".join(failed))
            if interval is None or stop.wait(interval):
                return

    def _run(self, stop: threading.Event, batch_size: int, ends_s: float | None) -> list[str]:
        """Clean up every database; gives what failed, so that one does not keep the others."""
        failed = []
        for alias in database_aliases():
            try:
                removed = clean_up(
                    alias,
                    batch_rows=batch_size,
                    until=lambda: stop.is_set() or _has_passed(ends_s),
                    pause=stop.wait,
                )
                self.stdout.write(f"{alias}: deleted {_text(removed)}")
            except UnavailableError as error:
                failed.append(f"{alias}: {error}")
                self.stderr.write(failed[-1])
            self.stdout.flush()
        return failed


def _check(options: dict[str, Any]) -> None:
    if not 1 <= options["batch_size"] <= 100_000:
        raise CommandError("--batch-size must be 1 to 100,000")
    for name in ("max_seconds", "interval"):
        number = options[name]
        if number is not None and not 0 < number <= threading.TIMEOUT_MAX:
            raise CommandError(f"--{name.replace('_', '-')} must be more than 0")


def _has_passed(instant_s: float | None) -> bool:
    return instant_s is not None and time.monotonic() >= instant_s


def _text(counts: Counts) -> str:
    return ", ".join(
        f"{number:,} {kind.replace('_', ' ')}" for kind, number in counts._asdict().items()
    )


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set: the batch under way is finished, then all ends well."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread gets signals
        return
    former = {number: signal.signal(number, lambda *_: stop.set()) for number in _STOPPING}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
