"""Reads that are over before they could be handed to a thread; on SQLite only.

They happen on the thread of an event loop, which has others to serve. So such a read never waits
for a lock, takes a bounded number of rows and characters, and is left to the writer's thread for a
while after one that took long: then pages come from a slow disk.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from django.db import connections

from chatstate.conf import get_settings
from chatstate.protocol.messages import FALSE, NULL, TRUE
from chatstate.protocol.operations import Get, GetList, IsSubscribed, Operation
from chatstate.storage import clock
from chatstate.storage.context import Context, digest
from chatstate.storage.plans import plan
from chatstate.storage.steps import Outcome, Piece, Row
from groundwork.sqlite_files import OpenedFile, opened_file

MOST_KEYS = 64
MOST_CHARS = 250_000
"""Of the values of one read, all together."""
MOST_ROWS = 2_000
"""Some milliseconds: a list of tiny entries has more of them than of characters."""
SLOW_S = 0.02
REST_S = 1.0
"""How long nothing is read here after a read that was slow or failed."""

_NO_FENCES: Iterator[int] = iter(())  # only who acquires a lock takes one


class _Keys(NamedTuple):
    """How operations that each read one key are carried out together.

    ``select`` gives digest and answer of each key that has another answer than ``absent``; its
    parameters are the present instant, the namespace, and the digests.
    """

    select: str
    absent: str

    def read(
        self, driver: sqlite3.Connection, operations: Sequence[Operation], context: Context
    ) -> Sequence[Outcome] | None:
        digests = [digest(operation.place) for operation in operations]
        parameters = (context.now_ms, context.namespace, *_filled_up(digests))
        rows = _fetch(driver, _select(self.select, len(parameters)), parameters, MOST_CHARS)
        if rows is None:
            return None
        found: dict[bytes, str] = dict(rows)
        return [found.get(each, self.absent) for each in digests]


_SUBSCRIBED = _Keys(
    f"""
    SELECT key_digest, '{TRUE}' FROM chatstate_subscription
    WHERE namespace = ?2 AND key_digest IN ({{}})
    """,
    FALSE,
)
_VALUES = _Keys(
    """
    SELECT key_digest, value FROM chatstate_cacheentry
    WHERE namespace = ?2 AND key_digest IN ({}) AND (expires_at_ms IS NULL OR expires_at_ms > ?1)
    """,
    NULL,
)


def _read_list(
    driver: sqlite3.Connection, operations: Sequence[Operation], context: Context
) -> Sequence[Outcome] | None:
    (operation,) = operations
    (statement,), parameters, answer, _ = plan(operation, context)
    values = statement.in_order(parameters)
    rows = _fetch(driver, statement.sqlite, values, context.list_page_max_chars)
    if rows is None:
        return None
    piece = answer([rows])
    return None if isinstance(piece, Piece) and piece.end_number is not None else [piece]


_Reader = Callable[[sqlite3.Connection, Sequence[Operation], Context], Sequence[Outcome] | None]
_READERS: dict[type[Operation], tuple[_Reader, int]] = {
    IsSubscribed: (_SUBSCRIBED.read, MOST_KEYS),
    Get: (_VALUES.read, MOST_KEYS),
    GetList: (_read_list, 1),
}
"""How operations of a kind are read, and how many at most."""


class _Opened(NamedTuple):
    driver: sqlite3.Connection
    file: OpenedFile
    pid: int


_inherited: list[_Opened] = []
"""Connections of the process that this one was forked from: not even closing them is safe."""


class QuickReads:
    """Reads in the database behind one alias; any thread may ask.

    Args:
        alias: of the database, among Django's.
        machine: tells the time.
    """

    def __init__(self, alias: str, machine: clock.Machine) -> None:
        self._alias = alias
        self._machine = machine
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._rests_until = 0.0

    def read(self, namespace: str, operations: Sequence[Operation]) -> Sequence[Outcome] | None:
        """What is committed, for operations that are all of one kind; never waits.

        Returns:
            The answers; None where they have to be read in the ordinary way.
        """
        reader = _reader_of(operations)
        if reader is None or time.monotonic() < self._rests_until:
            return None
        if not self._lock.acquire(blocking=False):
            return None  # another thread's loop reads here
        try:
            return self._read_watchfully(reader, namespace, operations)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Let go of the connection; the next read opens another one."""
        with self._lock:
            self._close()

    def _read_watchfully(
        self, reader: _Reader, namespace: str, operations: Sequence[Operation]
    ) -> Sequence[Outcome] | None:
        slow_from = time.monotonic() + SLOW_S
        try:
            answers = self._read(reader, namespace, operations)
        except (sqlite3.Error, OSError):
            self._close()
            self._rest()
            return None
        if time.monotonic() > slow_from:
            self._rest()
        return answers

    def _rest(self) -> None:
        self._rests_until = time.monotonic() + REST_S

    def _read(
        self, reader: _Reader, namespace: str, operations: Sequence[Operation]
    ) -> Sequence[Outcome] | None:
        driver, file, _ = self._open()
        driver.execute("BEGIN")
        now_ms = clock.read(driver, self._machine, is_writing=False).now_ms
        # a longer list is read, and sent, piece by piece
        max_chars = min(MOST_CHARS, get_settings().list_page_max_chars)
        answers = reader(driver, operations, Context(namespace, now_ms, _NO_FENCES, max_chars))
        driver.execute("COMMIT")
        if not file.is_there():
            raise sqlite3.OperationalError(f"{file.path} was removed or replaced")
        return answers

    def _open(self) -> _Opened:
        if self._opened is not None and self._opened.pid != os.getpid():
            _inherited.append(self._opened)
            self._opened = None
        if self._opened is None:
            self._opened = _open(self._alias)
        return self._opened

    def _close(self) -> None:
        if self._opened is not None and self._opened.pid == os.getpid():
            self._opened.driver.close()
            self._opened = None


def is_possible(alias: str) -> bool:
    """Whether the database behind ``alias`` is one that can be read so."""
    return str(connections.settings[alias]["ENGINE"]) == "django.db.backends.sqlite3"


def _open(alias: str) -> _Opened:
    name = str(connections.settings[alias]["NAME"])
    # no transaction but ours, no waiting, and a lock of ours for threads
    driver = sqlite3.connect(
        name, timeout=0, isolation_level=None, check_same_thread=False, uri=True
    )
    driver.execute("PRAGMA query_only = 1")
    driver.execute("SELECT 1 FROM sqlite_master").fetchone()  # the log is opened by the first read
    return _Opened(driver, opened_file(driver), os.getpid())


def _reader_of(operations: Sequence[Operation]) -> _Reader | None:
    kinds = {type(operation) for operation in operations}
    if len(kinds) != 1:
        return None
    reader, most = _READERS.get(kinds.pop(), (None, 0))
    return reader if len(operations) <= most else None


def _fetch(
    driver: sqlite3.Connection, select: str, parameters: Sequence[Any], max_chars: int
) -> list[Row] | None:
    """The rows; None: too many, or their second columns are longer than ``max_chars``."""
    rows: list[Row] = []
    for row in driver.execute(select, parameters):
        max_chars -= len(row[1])
        if max_chars < 0 or len(rows) == MOST_ROWS:
            return None
        rows.append(row)
    return rows


@cache
def _select(select: str, parameters: int) -> str:
    return select.format(", ".join(f"?{number}" for number in range(3, parameters + 1)))


def _filled_up(digests: Sequence[bytes]) -> Sequence[bytes]:
    """To a power of two by the last one, so that there are few statements to prepare."""
    size = 1 << (len(digests) - 1).bit_length()
    return [*digests, *[digests[-1]] * (size - len(digests))]
