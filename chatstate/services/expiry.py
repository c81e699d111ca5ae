"""The clean-up: rows that have expired, which nobody can see any more, are deleted in the end.

Any number of clean-ups may run at once, and each may be killed at any instant.
"""

import time
from collections.abc import Callable

from django.db import OperationalError, connections, transaction
from django.utils import timezone

from chatstate.models import CleanUp
from chatstate.protocol.errors import UnavailableError
from chatstate.sharding import default_alias
from chatstate.storage import expiry
from chatstate.storage.expiry import Counts
from groundwork.connections import DatabaseUnavailableError

BATCH_ROWS = 1_000
"""Most rows deleted in one transaction."""

HELD_S = 0.001
"""How long a transaction on SQLite should take, as other writers wait meanwhile: about as long as
one of their own."""

PAUSE_S = 0.02
"""Least time between two transactions; SQLite lets waiting writers in only where there is a gap."""

KEPT_RUNS = 100
"""Runs that are remembered."""

# a commit takes its time however few they are
_FEWEST_ROWS = 50


def count_expired(alias: str) -> Counts:
    """How many rows a clean-up would delete now.

    Raises:
        UnavailableError: the database does not answer.
    """
    try:
        return expiry.count(alias)
    except DatabaseUnavailableError as error:
        raise UnavailableError from error


def clean_up(
    alias: str,
    *,
    batch_rows: int = BATCH_ROWS,
    until: Callable[[], bool] = lambda: False,
    pause: Callable[[float], object] = time.sleep,
) -> Counts:
    """Delete what has expired by now from a database, and note the run.

    Args:
        alias: of the database.
        batch_rows: most rows in one transaction; on SQLite it has fewer, see ``HELD_S``.
        until: asked between two transactions whether to stop.
        pause: waits for some seconds between two transactions.

    Raises:
        UnavailableError: the database does not answer; what was deleted stays deleted.
    """
    started_at = timezone.now()
    try:
        removed = _remove_all(alias, batch_rows, until, pause)
        _note(CleanUp(database=alias, started_at=started_at, **_members(removed)))
    except (DatabaseUnavailableError, OperationalError) as error:
        raise UnavailableError from error
    return removed


def _remove_all(
    alias: str, batch_rows: int, until: Callable[[], bool], pause: Callable[[float], object]
) -> Counts:
    removed = Counts()
    # what expires meanwhile is for the next run: so that this one has an end
    until_ms = expiry.now_ms(alias)
    kinds = list(expiry.KINDS)
    is_alone = connections[alias].vendor == "sqlite"
    rows = min(batch_rows, _FEWEST_ROWS) if is_alone else batch_rows
    while kinds:
        # in turns: a run that is stopped early has not looked at one kind alone
        for kind in tuple(kinds):
            if until():
                return removed
            batch = expiry.remove(alias, kind, max_rows=rows, until_ms=until_ms)
            removed = removed.plus(batch.counts)
            if not any(batch.counts):
                kinds.remove(kind)
                continue
            if is_alone:
                rows = _next_rows(rows, batch, batch_rows)
            # others get at least as much of the database's time as this does
            pause(max(PAUSE_S, batch.held_s))
    return removed


def _next_rows(rows: int, batch: expiry.Batch, most: int) -> int:
    """How many rows the next batch may have, for it to take ``HELD_S``."""
    wanted = int(sum(batch.counts) * HELD_S / batch.held_s) if batch.held_s else most
    # one slow transaction, or a fast one, says little
    return min(max(wanted, rows // 2, _FEWEST_ROWS), 2 * rows, most)


def _members(removed: Counts) -> dict[str, int]:
    return {f"removed_{kind}": number for kind, number in removed._asdict().items()}


def _note(run: CleanUp) -> None:
    run.ended_at = timezone.now()
    alias = default_alias()
    with transaction.atomic(alias):
        run.save(using=alias, force_insert=True)
        CleanUp.objects.using(alias).filter(pk__lte=run.pk - KEPT_RUNS).delete()
