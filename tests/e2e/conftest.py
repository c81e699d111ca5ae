"""Served sites for the real clients: the embedded default, and PostgreSQL with two workers."""

import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.node_clients import Transport, ensure_installed
from tests.servers import PostgresServer, ValkeyServer
from tests.site_process import SiteProcess


@pytest.fixture(scope="session", autouse=True)
def _npm_packages() -> None:
    ensure_installed()


@pytest.fixture(scope="session")
def cluster() -> Iterator[tuple[str, str]]:
    """A PostgreSQL and a Valkey, by their URLs."""
    with PostgresServer() as postgres, ValkeyServer() as valkey:
        yield postgres.create_database("e2e"), valkey.url


@pytest.fixture(scope="session", params=["embedded", "cluster"])
def site(request: pytest.FixtureRequest) -> Iterator[SiteProcess]:
    """A running site that a test must leave running."""
    if request.param == "embedded":
        with SiteProcess() as site:
            yield site
        return
    postgres_url, valkey_url = request.getfixturevalue("cluster")
    with SiteProcess(database_url=postgres_url, redis_url=valkey_url, workers=2) as site:
        yield site


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
