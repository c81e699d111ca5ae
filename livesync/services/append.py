"""Where this process's pushes commit together, and who hears of the commits."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from sys import getsizeof

from groundwork.writer import Writer
from livesync.conf import get_settings
from livesync.protocol.errors import CommitUnknownError, StorageUnavailableError, StoreHeldError
from livesync.storage import get_engine
from livesync.storage.engine import Append, Appended
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
        get_engine().commit,
        announce=_announce,
        # after an unknown outcome the jobs may be stored: doing them again would refuse those
        key=attrgetter("store_id"),
        again=(StoreHeldError,),
        final=(StorageUnavailableError, CommitUnknownError),
        name="livesync-writer",
        size=_memory_bytes,
        max_pending_bytes=get_settings().pending_max_bytes,
        overload=overloaded,
    )


def _memory_bytes(append: Append) -> int:
    """About what an append takes while it waits: its texts, and what Python needs around them."""
    texts = sum(getsizeof(event.args) + getsizeof(event.name) for event in append.batch)
    return texts + _OVERHEAD_BYTES * (1 + len(append.batch))


def _announce(appended: Sequence[Appended]) -> None:
    for listener in tuple(_listeners):
        listener(appended)
