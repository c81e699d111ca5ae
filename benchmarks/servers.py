"""The servers under test: each started with data of its own, on one CPU, and weighed."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]  # ships no types

from benchmarks.reference_server import ReferenceServer
from tests.processes import LOOPBACK, ServerProcess
from tests.servers import PostgresServer
from tests.site_process import SiteProcess

SERVER_CPU = 0
GENERATOR_CPU = 1


@dataclass(slots=True)
class Store:
    """What a client knows of one store."""

    store_id: str
    backend_id: str
    head: int = 0


@dataclass(slots=True)
class Server:
    """One running server.

    ``filled`` holds the stores that a scenario filled for all its rounds, by number of events.
    """

    name: str
    process: ServerProcess
    filled: dict[int, Store] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Host and port as they stand in a URL."""
        return f"{LOOPBACK}:{self.process.port}"

    def memory_bytes(self) -> int:
        """Resident memory of the process and all its children."""
        process = psutil.Process(self.process.pid)
        family = [process, *process.children(recursive=True)]
        return sum(int(member.memory_info().rss) for member in family)


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Keep this thread, and every process it starts meanwhile, on one CPU if there are two."""
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[cpu]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def ours() -> AbstractContextManager[Server]:
    """This checkout: ``manage.py serve``, one process on the embedded default."""
    return _started("ours", SiteProcess())


def reference() -> AbstractContextManager[Server]:
    """The unmodified ``@livestore/sync-cf`` worker under workerd, storage on disk."""
    return _started("reference", ReferenceServer())


@contextmanager
def ours_on_postgres() -> Iterator[Server]:
    """This checkout on a PostgreSQL of its own, which may use every CPU."""
    with (
        PostgresServer() as postgres,
        _started("postgres", SiteProcess(database_url=postgres.url)) as server,
    ):
        yield server


def ours_on_files() -> AbstractContextManager[Server]:
    """This checkout with a file for each store."""
    return _started("files", SiteProcess(environment={"SYNCSITE_ENGINE": "files"}))


SERVERS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "ours": ours,
    "reference": reference,
    "postgres": ours_on_postgres,
    "files": ours_on_files,
}


@contextmanager
def _started(name: str, process: ServerProcess) -> Iterator[Server]:
    try:
        with pinned(SERVER_CPU):
            process.start()
        yield Server(name, process)
    finally:
        process.close()
