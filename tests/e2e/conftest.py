"""Served sites for the real clients: embedded, on PostgreSQL with two workers, under daphne."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.node_clients import Transport, ensure_chat_package
from tests.servers import PostgresServer, ValkeyServer
from tests.site_process import SiteProcess

DAPHNE = (
    sys.executable,
    *("-m", "daphne", "-b", "{host}", "-p", "{port}", "syncsite.asgi:application"),
)


@pytest.fixture(scope="session", autouse=True)
def _npm_packages() -> None:
    ensure_chat_package()


@pytest.fixture(scope="session")
def cluster() -> Iterator[tuple[str, str]]:
    """A PostgreSQL and a Valkey, by their URLs."""
    with PostgresServer() as postgres, ValkeyServer() as valkey:
        yield postgres.create_database("e2e"), valkey.url


@pytest.fixture(scope="session", params=["embedded", "cluster", "daphne"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SiteProcess]:
    """A running site that a test must leave running."""
    match request.param:
        case "embedded":
            site = SiteProcess()
        case "cluster":
            postgres_url, valkey_url = request.getfixturevalue("cluster")
            site = SiteProcess(database_url=postgres_url, redis_url=valkey_url, workers=2)
        case _:
            site = migrated_site(tmp_path_factory.mktemp("daphne"), DAPHNE)
    with site:
        yield site


def migrated_site(data_directory: Path, command: tuple[str, ...]) -> SiteProcess:
    """A site that another command than ``serve`` will run; only ``serve`` migrates by itself."""
    site = SiteProcess(data_directory=data_directory, command=command)
    site.manage("migrate")
    return site


@pytest.fixture
def own_site() -> Iterator[SiteProcess]:
    """A site on the embedded default that a test may kill."""
    with SiteProcess() as site:
        yield site


@pytest.fixture(params=["ws", "http"])
def transport(request: pytest.FixtureRequest) -> Transport:
    chosen: Transport = request.param
    return chosen


@pytest.fixture
def store_id() -> str:
    return f"store-{uuid.uuid4().hex}"


def url_of(site: SiteProcess, transport: Transport) -> str:
    """Where a client of this transport connects."""
    return site.ws_url if transport == "ws" else site.http_url
