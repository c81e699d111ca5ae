"""The sites that things go wrong with."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest

from tests.history.history import Recorder
from tests.servers import PostgresServer, ValkeyServer
from tests.site_process import SiteProcess

ENVIRONMENT = {"SYNCSITE_ACCESS_LOG": "0"}

StartSites = Callable[[int], list[SiteProcess]]

_databases = count(1)

# a line for each request of the clients would hide everything else that a failed test shows
logging.getLogger("httpx").setLevel(logging.WARNING)


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    """One process on the embedded SQLite."""
    with SiteProcess(environment=ENVIRONMENT) as site:
        yield site


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> str:
    """A PostgreSQL database of this test's own."""
    return postgres_server.create_database(f"faults_{next(_databases)}")


@pytest.fixture
def start_sites(database_url: str, valkey_server: ValkeyServer) -> Iterator[StartSites]:
    """Starts so many processes that share a PostgreSQL database and a Valkey."""
    with ExitStack() as stack:

        def start(number: int) -> list[SiteProcess]:
            sites = [
                SiteProcess(
                    database_url=database_url,
                    redis_url=valkey_server.url,
                    environment=ENVIRONMENT,
                )
                for _ in range(number)
            ]
            for site in sites:
                stack.enter_context(closing(site))
            with ThreadPoolExecutor(number) as pool:
                list(pool.map(SiteProcess.start, sites))
            return sites

        yield start


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
