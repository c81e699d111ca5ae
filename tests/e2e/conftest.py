"""Served sites for the real clients: embedded, on PostgreSQL with two workers, under daphne."""

import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.e2e.node_clients import (
    NodeStoreProcess,
    NodeSyncProcess,
    Transport,
    ensure_own_packages,
)
from tests.servers import PostgresServer, ValkeyServer
from tests.site_process import SiteProcess, site_database

HERE = Path(__file__).parent
TRANSPORTS: tuple[Transport, ...] = ("ws", "http")

DAPHNE = (
    sys.executable,
    *("-m", "daphne", "-b", "{host}", "-p", "{port}", "syncsite.asgi:application"),
)


class SyncProcesses(NamedTuple):
    """Two Node processes for clients; no test ends them."""

    first: NodeSyncProcess
    second: NodeSyncProcess


class StoreProcesses(NamedTuple):
    """Two Node processes for apps; no test ends them."""

    first: NodeStoreProcess
    second: NodeStoreProcess


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and pytest_asyncio.is_async_test(item):
            # the Node processes live in one loop, as long as the tests: they are slow to start
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session", autouse=True)
def _npm_packages() -> None:
    ensure_own_packages()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sync_processes(_npm_packages: None) -> AsyncIterator[SyncProcesses]:
    async with NodeSyncProcess() as first, NodeSyncProcess() as second:
        yield SyncProcesses(first, second)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def store_processes(_npm_packages: None) -> AsyncIterator[StoreProcesses]:
    async with NodeStoreProcess() as first, NodeStoreProcess() as second:
        yield StoreProcesses(first, second)


@pytest.fixture(scope="session")
def cluster(postgres_server: PostgresServer) -> Iterator[tuple[str, str]]:
    """A PostgreSQL database and a Valkey, by their URLs."""
    with ValkeyServer() as valkey:
        yield site_database(postgres_server, "e2e"), valkey.url


@pytest.fixture(scope="session", params=["embedded", "cluster", "daphne"])
def site(request: pytest.FixtureRequest) -> Iterator[SiteProcess]:
    """A running site that a test must leave running."""
    match request.param:
        case "embedded":
            site = SiteProcess()
        case "cluster":
            postgres_url, valkey_url = request.getfixturevalue("cluster")
            site = SiteProcess(database_url=postgres_url, redis_url=valkey_url, workers=2)
        case _:
            site = SiteProcess(command=DAPHNE)
    with site:
        yield site


@pytest.fixture
def own_site() -> Iterator[SiteProcess]:
    """A site on the embedded default that a test may kill."""
    with SiteProcess() as site:
        yield site


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Transport:
    chosen: Transport = request.param
    return chosen


@pytest.fixture
def store_id() -> str:
    return f"store-{uuid.uuid4().hex}"


def url_of(site: SiteProcess, transport: Transport) -> str:
    """Where a client of this transport connects."""
    return site.ws_url if transport == "ws" else site.http_url
