"""The transports in process: open to every test, tuned as it likes."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pytest_django import Settings

from livesync.transports.routing import websocket_application
from syncsite.sync_handler import SyncHandler
from tests.clients import HttpClient, SyncClient
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.peers import Dial
from tests.storage import STORE

Tune = Callable[..., None]
Connect = Callable[..., Any]


@pytest.fixture
def tune(settings: Settings) -> Tune:
    """Changes settings of livesync; the others stay as they are."""

    def tune(**values: Any) -> None:
        settings.LIVESYNC = {**settings.LIVESYNC, **values}

    return tune


@pytest.fixture
def choose(tune: Tune) -> Tune:
    """Chooses kinds of credential, and whatever else goes with them."""

    def choose(*kinds: str, **more: Any) -> None:
        tune(
            hooks="livesync.auth.hooks.AuthHooks",
            auth=kinds,
            allowed_origins=("https://app.example",),
            **more,
        )

    return choose


@pytest.fixture(autouse=True)
def _open_to_all(tune: Tune) -> None:
    tune(hooks="livesync.hooks.OpenHooks")


@pytest.fixture
async def connect(store: Store) -> AsyncIterator[Connect]:
    """Opens sockets on the store, and hangs up at the end."""
    clients: list[SyncClient] = []

    async def connect(store_id: str = STORE, **options: Any) -> SyncClient:
        clients.append(SyncClient(websocket_application, store_id, **options))
        await clients[-1].open()
        return clients[-1]

    yield connect
    for client in clients:
        await client.hang_up()


@pytest.fixture
def http(store: Store) -> HttpClient:
    """A client over HTTP on the store."""
    return HttpClient(SyncHandler(), store.id)


@pytest.fixture(params=["ws", "http", "rpc"])
async def dial(request: pytest.FixtureRequest, store: Store) -> AsyncIterator[Dial]:
    dial = Dial(request.param)
    yield dial
    await dial.hang_up()
