"""Who moves a store holds its lock: the system takes it from a process that dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groundwork.durable_files import make_directory
from livesync.protocol.errors import StoreHeldError


@contextmanager
def move_lock(path: Path) -> Iterator[None]:
    """Hold the lock whose file is at ``path``.

    Raises:
        StoreHeldError: somebody else does.
    """
    make_directory(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreHeldError from error
        yield
    finally:
        os.close(descriptor)
