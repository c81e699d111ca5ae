"""Open a file of events, whatever it is, so that it stays as it is."""

import errno
import os
import re
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

from livesync.moving.errors import FileRefusedError
from livesync.moving.json_file import JsonSource
from livesync.moving.source import Source
from livesync.moving.sql_dump import SqlDumpSource
from livesync.moving.sqlite_file import (
    Context,
    SqliteSource,
    context_of,
    lock_down,
    refusing,
)
from livesync.protocol.messages import Limits

_SQLITE_MAGIC = b"SQLite format 3\0"
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")
_SQL = re.compile(rb"\s*(?:--|/\*|PRAGMA\b|BEGIN\b|CREATE\b|INSERT\b|DELETE\b)", re.IGNORECASE)
_JSON = re.compile(rb"\s*\{")
_HEAD_BYTES = 4_096


class _Stamp(NamedTuple):
    """What changes when somebody writes to a file."""

    device: int
    inode: int
    size: int
    changed_ns: int


@contextmanager
def open_source(
    path: Path, *, store_id: str | None, context: Path | None, limits: Limits
) -> Iterator[Source]:
    """Open a file of events; that it has not changed meanwhile is checked at the end.

    Args:
        path: the file; what it is shows in its first bytes.
        store_id: which of its stores; None for the only one.
        context: the file of the store's Durable Object, where the events are in D1.
        limits: of an event's fields.

    Raises:
        FileRefusedError: it cannot be imported; also at the end, if somebody wrote to it.
    """
    with ExitStack() as stack:
        known = _read_context(context, store_id) if context is not None else None
        file = stack.enter_context(_open(path))
        before = _stamps(path, file)
        yield _source(stack, path, file, store_id, known, limits)
        if _stamps(path, file) != before:
            raise FileRefusedError("somebody wrote to the file while it was read; stop its server")


def _source(
    stack: ExitStack,
    path: Path,
    file: BinaryIO,
    store_id: str | None,
    context: Context | None,
    limits: Limits,
) -> Source:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    size = os.fstat(file.fileno()).st_size
    if head.startswith(_SQLITE_MAGIC):
        connection = stack.enter_context(_connect(path, head, size))
        return SqliteSource(connection, store_id, context, limits)
    if _JSON.match(head):
        return JsonSource(file, size, limits)
    if _SQL.match(head):
        if store_id is None:
            raise FileRefusedError("a dump does not say which stores it holds; name one")
        return SqlDumpSource(file, size, store_id, context, limits)
    raise FileRefusedError(_foreign(head))


def _foreign(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head.startswith(_COMPRESSED):
        return "the file is compressed; unpack it first"
    return (
        "neither an SQLite file, nor a dump of one, nor JSON of LiveStore's command line: it begins"
        f" with {head[:16]!r}"
    )


def _read_context(path: Path, store_id: str | None) -> Context:
    """What a Durable Object's own file says of its store."""
    with _open(path) as file:
        head = file.read(_HEAD_BYTES)
        if not head.startswith(_SQLITE_MAGIC):
            raise FileRefusedError(f"{path.name} is no SQLite file")
        with _connect(path, head, os.fstat(file.fileno()).st_size) as connection, refusing():
            return context_of(connection, store_id)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        # nothing may be behind the name but a file: a link could lead anywhere, a pipe never end
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileRefusedError(
                f"{path.name} is a symbolic link; name the file itself"
            ) from None
        raise FileRefusedError(f"{path.name}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise FileRefusedError(f"{path.name} is no file")
    with os.fdopen(number, "rb") as file:
        yield file


@contextmanager
def _connect(path: Path, head: bytes, size: int) -> Iterator[sqlite3.Connection]:
    """A connection that can do nothing but read tables, and leaves the file as it is."""
    if _is_there(_beside(path, "-journal")):
        raise FileRefusedError(
            f"{path.name}-journal is beside it: its server was cut off while it wrote. Start it "
            "once more, and stop it in good order"
        )
    with ExitStack() as stack:
        if _is_there(_beside(path, "-wal")):
            # what was stored last is in the log; to read it SQLite writes beside the file
            path = _copy(path, Path(stack.enter_context(tempfile.TemporaryDirectory())))
            uri = f"file:{quote(str(path))}?mode=rw"
        else:
            _check_whole(head, size)
            uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
        with refusing():
            connection = sqlite3.connect(uri, uri=True, isolation_level=None)
            stack.enter_context(closing(connection))
            lock_down(connection)
        yield connection


def _copy(path: Path, directory: Path) -> Path:
    copied = directory / "copy.sqlite"
    for suffix in ("", "-wal"):
        with _open(_beside(path, suffix)) as source, _beside(copied, suffix).open("wb") as target:
            try:
                shutil.copyfileobj(source, target, 1 << 20)
            except OSError as error:
                raise FileRefusedError(
                    f"{path.name} cannot be copied to {directory.parent}: {error.strerror}"
                ) from None
    return copied


def _check_whole(head: bytes, size: int) -> None:
    page_size = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big")
    page_size = 65_536 if page_size == 1 else page_size
    if size < page_size * pages:
        raise FileRefusedError(
            f"cut off: it has {size:,} bytes, and {page_size * pages:,} as it says itself"
        )


def _stamps(path: Path, file: BinaryIO) -> tuple[_Stamp | None, ...]:
    return (_stamp(os.fstat(file.fileno())), _stamp_of(_beside(path, "-wal")))


def _stamp_of(path: Path) -> _Stamp | None:
    try:
        return _stamp(os.lstat(path))
    except FileNotFoundError:
        return None


def _stamp(found: os.stat_result) -> _Stamp:
    return _Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _is_there(path: Path) -> bool:
    found = _stamp_of(path)
    return found is not None and found.size > 0


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
