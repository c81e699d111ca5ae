"""Where this process's pushes commit together, and who hears of the commits."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from operator import attrgetter
from sys import getsizeof

from groundwork.writer import Writer
from livesync import metrics
from livesync.conf import get_settings
from livesync.protocol.errors import (
    BackendIdMismatchError,
    CommitUnknownError,
    ServerAheadError,
    StorageUnavailableError,
    StoreHeldError,
)
from livesync.services.announcer import announce_appended
from livesync.storage import get_engine
from livesync.storage.engine import Append, Appended, Engine
from livesync.storage.faults import overloaded

Listener = Callable[[Sequence[Appended]], None]

_OVERHEAD_BYTES = 500  # of an append and of each event, besides its name and args

_listeners: list[Listener] = []


def submit(append: Append) -> "asyncio.Future[Appended]":
    """Hand an append to the writer; appends are stored in the order of these calls."""
    return get_writer().submit(append)


def add_listener(listener: Listener) -> None:
    """Call ``listener`` in the writer's thread with what each commit has stored, in that order."""
    _listeners.append(listener)


def remove_listener(listener: Listener) -> None:
    """Call it no more."""
    _listeners.remove(listener)


@cache
def get_writer() -> Writer[Append, Appended]:
    """The writer of this process."""
    return Writer(
        partial(_commit, get_engine()),
        announce=_announce,
        # after an unknown outcome the jobs may be stored: doing them again would refuse those
        key=attrgetter("store_id"),
        again=(StoreHeldError,),
        final=(StorageUnavailableError, CommitUnknownError),
        name="livesync-writer",
        size=_memory_bytes,
        max_pending_bytes=get_settings().pending_max_bytes,
        overload=_overloaded,
    )


def _commit(engine: Engine, appends: Sequence[Append]) -> Sequence[Appended | Exception]:
    started_at = time.perf_counter()
    try:
        outcomes = engine.commit(appends)
    except Exception:
        metrics.COMMIT_FAULTS.inc()
        raise
    metrics.COMMIT_DURATION.observe(time.perf_counter() - started_at)
    for outcome in outcomes:
        if isinstance(outcome, ServerAheadError):
            metrics.SERVER_AHEAD.inc()
        elif isinstance(outcome, BackendIdMismatchError):
            metrics.BACKEND_ID_MISMATCH.inc()
    return outcomes


def _overloaded() -> Exception:
    metrics.OVERLOADS.inc()
    return overloaded()


def _memory_bytes(append: Append) -> int:
    """About what an append takes while it waits: its texts, and what Python needs around them."""
    texts = sum(getsizeof(event.args) + getsizeof(event.name) for event in append.batch)
    return texts + _OVERHEAD_BYTES * (1 + len(append.batch))


def _announce(appended: Sequence[Appended]) -> None:
    pushes = [len(one.batch) for one in appended if one.batch]
    metrics.PUSHES.inc(len(pushes))
    metrics.PUSHED_EVENTS.inc(sum(pushes))
    for listener in tuple(_listeners):
        listener(appended)
    announce_appended(appended)
