"""Every kind of client in both faces, so that a rule is written once and run against each."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from livesync.client import AsyncClient, Client
from tests.site_process import SiteProcess

KINDS = ("ws", "http", "in-process")
POLL_INTERVAL_S = 0.05

MakeClient = Callable[..., Any]


class InThreads:
    """The sync face, every call in another thread, so that a test can await it like the other."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._client = Client(*args, **options)

    async def __aenter__(self) -> "InThreads":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)

    async def push(self, *args: Any, **options: Any) -> Any:
        return await asyncio.to_thread(self._client.push, *args, **options)

    async def pull(self, *args: Any) -> Any:
        return await asyncio.to_thread(self._client.pull, *args)

    async def backend_id(self) -> str:
        return await asyncio.to_thread(self._client.backend_id)

    def pull_pages(self, *args: Any) -> Any:
        return _in_threads(self._client.pull_pages(*args))

    def live(self, *args: Any, **options: Any) -> Any:
        return _in_threads(self._client.live(*args, **options))


async def _in_threads(items: Iterator[Any]) -> AsyncIterator[Any]:
    try:
        while (item := await asyncio.to_thread(next, items, None)) is not None:
            yield item
    finally:
        await asyncio.to_thread(items.close)  # type: ignore[attr-defined] # a generator


@pytest.fixture(scope="session")
def vendor() -> str:
    """The storage has its own suite on each database; here it is only one."""
    return "sqlite"


@pytest.fixture(scope="session")
def site() -> Iterator[SiteProcess]:
    """A site that a test must leave running."""
    with SiteProcess(environment={"SYNCSITE_ACCESS_LOG": "0"}) as site:
        yield site


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["async", "sync"])
def face(request: pytest.FixtureRequest) -> Any:
    return {"async": AsyncClient, "sync": InThreads}[request.param]


@pytest.fixture
def url(kind: str, site: SiteProcess) -> str | None:
    return {"ws": site.ws_url, "http": site.http_url, "in-process": None}[kind]


@pytest.fixture
def store_id() -> str:
    return f"store-{uuid.uuid4().hex}"


@pytest.fixture
async def make_client(
    face: Any, url: str | None, store_id: str, services: None
) -> AsyncIterator[MakeClient]:
    """Makes clients of one store, and closes them at the end."""
    async with AsyncExitStack() as stack:

        async def make(**options: Any) -> Any:
            client = face(store_id, url, **{"poll_interval_s": POLL_INTERVAL_S} | options)
            return await stack.enter_async_context(client)

        yield make
