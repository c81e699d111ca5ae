"""The sites that things go wrong with."""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from tests.history.history import Recorder
from tests.servers import PostgresServer, ValkeyServer
from tests.site_process import SiteProcess, site_database

ENVIRONMENT = {"SYNCSITE_ACCESS_LOG": "0"}

_databases = count(1)

# a line for each request of the clients would hide everything else that a failed test shows
logging.getLogger("httpx").setLevel(logging.WARNING)


class StartSites(Protocol):
    """Starts processes that share a database."""

    def __call__(self, number: int, *, environment: Mapping[str, str] = ...) -> list[SiteProcess]:
        """So many; ``environment`` is added to that of the tests."""


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    """One process on the embedded SQLite."""
    with SiteProcess(environment=ENVIRONMENT) as site:
        yield site


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> str:
    """A PostgreSQL database of this test's own, with the site's tables."""
    return site_database(postgres_server, f"faults_{next(_databases)}")


@pytest.fixture
def start_lonely_sites(database_url: str) -> Iterator[StartSites]:
    """They share a PostgreSQL database and cannot tell each other anything."""
    with ExitStack() as stack:
        yield partial(_start_sites, stack, database_url=database_url)


@pytest.fixture
def start_sites(database_url: str, valkey_server: ValkeyServer) -> Iterator[StartSites]:
    """They share a PostgreSQL database and a Valkey."""
    with ExitStack() as stack:
        yield partial(_start_sites, stack, database_url=database_url, redis_url=valkey_server.url)


@pytest.fixture
def history_file(tmp_path: Path) -> Path:
    """Where a history goes; ``python -m tests.history FILE`` judges it again."""
    return tmp_path / "history.ndjson"


@pytest.fixture
def recorder(history_file: Path) -> Iterator[Recorder]:
    """Writes the history of clients that a test starts by itself."""
    recorder = Recorder(history_file)
    yield recorder
    recorder.close()


def _start_sites(
    stack: ExitStack, number: int, *, environment: Mapping[str, str] | None = None, **site: str
) -> list[SiteProcess]:
    variables = {**ENVIRONMENT, **(environment or {})}
    sites = [SiteProcess(environment=variables, **site) for _ in range(number)]
    for made in sites:
        stack.enter_context(closing(made))
    with ThreadPoolExecutor(number) as pool:
        list(pool.map(SiteProcess.start, sites))
    return sites
