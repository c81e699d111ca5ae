"""The ways in that bots and scripts use, each on the engine of a site."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tests.chat_conformance.subjects.databases import services_on
from tests.chat_conformance.subjects.node_bridge import SCRIPT, DjangoPlace
from tests.chat_conformance.subjects.python_adapters import InProcessPlace, RemotePlace
from tests.chat_conformance.subjects.sites import Tokens
from tests.chat_conformance.subjects.socket import PATH, SocketPlace
from tests.chat_conformance.subjects.subject import Place
from tests.e2e.node_clients import NodeProcess
from tests.e2e.node_clients.chat_package import ensure_chat_package
from tests.site_process import SiteProcess

OpenWay = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Place]]


@asynccontextmanager
async def open_sockets(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The protocol over a WebSocket."""
    site, tokens = _site(request)
    yield SocketPlace(f"{site.ws_url}{PATH}", tokens)


@asynccontextmanager
async def open_npm(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The npm adapter ``chat-state-django``."""
    site, tokens = _site(request)
    await asyncio.to_thread(ensure_chat_package)
    async with NodeProcess(SCRIPT) as process:
        yield DjangoPlace(process, site.http_url, tokens)


@asynccontextmanager
async def open_remote(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The remote adapter for Python."""
    site, tokens = _site(request)
    yield RemotePlace(site.http_url, tokens)


@asynccontextmanager
async def open_in_process(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The adapter for Python in this process, on a database of its own."""
    async with services_on(request.getfixturevalue("engine"), request):
        yield InProcessPlace()


WAYS: dict[str, OpenWay] = {
    "socket": open_sockets,
    "npm": open_npm,
    "remote": open_remote,
    "in process": open_in_process,
}
ADAPTERS = frozenset({"npm", "remote", "in process"})


def _site(request: pytest.FixtureRequest) -> tuple[SiteProcess, Tokens]:
    return request.getfixturevalue("site").process, request.getfixturevalue("tokens")
