"""The sites that bad inputs are sent to: one on each engine, for the whole session."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_inputs.messages import CANARY
from tests.bad_inputs.peers import PEERS, URL_TRANSPORTS, HttpPeer, Peer, new_store_id
from tests.bad_inputs.site_under_test import SiteUnderTest, serve
from tests.servers import PostgresServer
from tests.site_process import site_database

ENGINES = ("sqlite", "postgresql")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """By RPC on one engine: what a message comes to behind its bytes is asked over the others."""
    spared = [item for item in items if {"rpc", "postgresql"} <= _parameters(item)]
    config.hook.pytest_deselected(items=spared)
    items[:] = [item for item in items if item not in set(spared)]


def _parameters(item: pytest.Item) -> set[object]:
    called = getattr(item, "callspec", None)
    in_here = item.path.parent == Path(__file__).parent
    given = called.params.values() if called is not None and in_here else ()
    return {value for value in given if isinstance(value, str)}


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def site(engine: str, request: pytest.FixtureRequest) -> Iterator[SiteUnderTest]:
    """Development settings; who knows the canary may sync. There is a store called neighbour."""
    url = _new_database(engine, "bad_inputs", request)
    environment = {"SYNCSITE_AUTH": "shared-secret", "SYNCSITE_AUTH_SECRET": CANARY}
    with serve(database_url=url, environment=environment) as site:
        with HttpPeer(site, "neighbour") as neighbour:
            neighbour.push(1, 0, name=f'"{CANARY}"')
        yield site


@pytest.fixture(scope="session")
def production_site(engine: str, request: pytest.FixtureRequest) -> Iterator[SiteUnderTest]:
    """Production settings; who is signed in may sync, from pages of one origin, without CORS."""
    url = _new_database(engine, "bad_inputs_production", request)
    environment = {
        "DJANGO_SETTINGS_MODULE": "syncsite.production",
        "SECRET_KEY": f"{CANARY} and enough beside it to make fifty characters",
        "ALLOWED_HOSTS": "127.0.0.1",
        "SYNCSITE_TLS_PROXY": "1",
        "SYNCSITE_AUTH": "django",
        "SYNCSITE_ALLOWED_ORIGINS": "https://app.example",
        "FORWARDED_ALLOW_IPS": "192.0.2.1",
    }
    with serve(database_url=url, environment=environment) as site:
        yield site


@pytest.fixture(autouse=True)
def _stay_calm(site: SiteUnderTest) -> Iterator[None]:
    with site.logs_no_alarm(), site.stays_small():
        yield


@pytest.fixture(params=URL_TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """As URLs name it; what there is of RPC in a URL is the same as over HTTP."""
    return str(request.param)


@pytest.fixture(params=PEERS)
def peer(site: SiteUnderTest, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """A connection to a store of its own, with the events 1 and 2 in it."""
    with PEERS[request.param](site, new_store_id()) as peer:
        peer.push_two()
        yield peer


def _new_database(engine: str, name: str, request: pytest.FixtureRequest) -> str | None:
    if engine == "sqlite":
        return None
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    # an engine may get its turn again: pytest-xdist hands out the tests in any order
    return site_database(postgres, f"{name}_{uuid.uuid4().hex}")
