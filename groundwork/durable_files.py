"""Make and remove files so that it lasts: a name is on disk when its directory is."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def make_file(path: Path, content: bytes) -> None:
    """Make a file with this content, whole or not at all, unless there is one by then.

    Of several processes that make it at once, one does. When this returns the file is on disk,
    whoever has made it.
    """
    make_directory(path.parent)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        _write(draft, content)
        with suppress(FileExistsError):
            os.link(draft, path)  # unlike a rename it never replaces another's
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Make a directory for this user alone, and those above it, unless it is there."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def remove_file(path: Path) -> None:
    """Remove an SQLite file and its log, the name of the file first; nothing if it is missing."""
    for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        name.unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_directory(path.parent)


def sync_file(path: Path) -> None:
    """Bring to disk what was written to a file."""
    _sync(path, os.O_RDWR)


def sync_directory(path: Path) -> None:
    """Bring to disk the names in a directory."""
    _sync(path, os.O_RDONLY)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
