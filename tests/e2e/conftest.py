"""Served sites for the real clients: embedded, on PostgreSQL with two workers, under daphne."""

import sys
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.node_clients import Transport, ensure_chat_package
from tests.servers import PostgresServer, ValkeyServer
from tests.site_process import SiteProcess, site_database

DAPHNE = (
    sys.executable,
    *("-m", "daphne", "-b", "{host}", "-p", "{port}", "syncsite.asgi:application"),
)


@pytest.fixture(scope="session", autouse=True)
def _npm_packages() -> None:
    ensure_chat_package()


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
