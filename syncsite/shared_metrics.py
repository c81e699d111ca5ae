"""Metrics of several worker processes, counted in files of one directory that ``serve`` makes.

Whether the client library counts there is decided when it is first imported, by a variable that
workers find in their environment. Needs no Django: a worker starts here, before it is set up.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def shared_by_workers() -> Iterator[None]:
    """Let the processes that start meanwhile count together; for their parent."""
    directory = tempfile.mkdtemp(prefix="syncsite-metrics-")
    os.environ[_DIRECTORY] = directory
    try:
        yield
    finally:
        del os.environ[_DIRECTORY]
        shutil.rmtree(directory, ignore_errors=True)


def is_shared() -> bool:
    """Whether this process counts together with others, or is their parent."""
    return _DIRECTORY in os.environ


def readable() -> CollectorRegistry:
    """What there is to tell: of this process, or of all that count together."""
    if not is_shared():
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # prometheus-client's gap
    return registry


def forget_gauges_of(pid: int) -> None:
    """Let a worker that has died count no longer as one that lives; what it counted stays."""
    if is_shared():
        mark_process_dead(pid)  # type: ignore[no-untyped-call] # prometheus-client's gap
