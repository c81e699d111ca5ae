"""Is the process up, and can it serve?"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from django.db import DatabaseError, OperationalError, ProgrammingError, connections
from django.test import AsyncClient, Client

from livesync.services import hints
from livesync.services.hub import all_hubs, get_hub
from syncsite.asgi import application
from tests.clients import until
from tests.servers import ValkeyServer

pytestmark = pytest.mark.django_db(databases=["default", "livesync", "chatstate"])


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as made:
        yield made


async def health(method: str = "GET") -> httpx.Response:
    """What a served site tells about itself."""
    transport = httpx.ASGITransport(application)  # type: ignore[arg-type] # its scope is typed
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, "/healthz")


async def test_a_single_process_needs_no_bus() -> None:
    answer = await health()

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "bus": "memory"})
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.fixture
async def redis(valkey: ValkeyServer, settings: Any) -> AsyncIterator[ValkeyServer]:
    """The site told to hint through a Valkey."""
    settings.REDIS_URL = valkey.url
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [valkey.url]},
        }
    }
    yield valkey
    for hub in all_hubs():
        await hub.stop()


async def test_the_bus_is_what_the_hub_has_found(
    redis: ValkeyServer, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_PROBE_AFTER_S", 0.01)
    monkeypatch.setattr(hints, "_PAUSE_AFTER_FAULT_S", 0.01)

    assert (await health()).json()["bus"] == "redis"

    redis.kill()
    await until(lambda: get_hub().is_degraded)
    for answer in (await health(), await async_client.get("/readyz")):
        assert (answer.status_code, answer.json()["bus"]) == (200, "degraded")

    await asyncio.to_thread(redis.start)
    await until(lambda: not get_hub().is_degraded)
    for answer in (await health(), await async_client.get("/readyz")):
        assert answer.json()["bus"] == "redis"


async def test_a_process_that_starts_without_its_bus_finds_out_by_itself(
    redis: ValkeyServer,
) -> None:
    redis.kill()

    await health()  # the first look makes the hub look as well

    await until(lambda: get_hub().is_degraded)


def test_ready_means_that_every_database_answers(client: Client) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["databases"] == {"default": "ok", "livesync": "ok", "chatstate": "ok"}


@pytest.mark.parametrize("error", [OperationalError("is away"), ProgrammingError("no such table")])
def test_a_database_that_fails_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: DatabaseError
) -> None:
    monkeypatch.setattr(connections["livesync"], "cursor", Mock(side_effect=error))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["databases"] == {
        "default": "ok",
        "livesync": "unavailable",
        "chatstate": "ok",
    }
    assert str(error) not in answer.text


async def test_nothing_but_a_look_is_allowed(async_client: AsyncClient) -> None:
    assert (await health("POST")).status_code == 405
    assert (await async_client.post("/readyz")).status_code == 405


def test_a_browser_gets_no_icon_and_no_error(client: Client) -> None:
    assert client.get("/favicon.ico").status_code == 204


async def test_static_files_are_served_without_a_warning(async_client: AsyncClient) -> None:
    answer = await async_client.get("/static/admin/css/base.css")
    again = await async_client.get(
        "/static/admin/css/base.css", headers={"If-None-Match": answer.headers["ETag"]}
    )
    head = await async_client.head("/static/admin/css/base.css")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/css")
    assert len(answer.content) == int(answer.headers["Content-Length"])
    assert (again.status_code, again.content) == (304, b"")
    assert (head.status_code, head.content) == (200, b"")


async def test_a_static_file_that_is_not_there_is_not_found(async_client: AsyncClient) -> None:
    for path in ("/static/missing.css", "/static/../manage.py", "/static/%2e%2e/manage.py"):
        assert (await async_client.get(path)).status_code == 404
