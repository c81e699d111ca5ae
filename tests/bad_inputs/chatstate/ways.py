"""The ways in that bots and scripts use, each on the engine of a site."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tests.chat_conformance.subjects.databases import services_on
from tests.chat_conformance.subjects.http import HttpPlace
from tests.chat_conformance.subjects.node_bridge import SCRIPT, DjangoPlace
from tests.chat_conformance.subjects.python_adapters import InProcessPlace, RemotePlace
from tests.chat_conformance.subjects.socket import SocketPlace
from tests.chat_conformance.subjects.subject import Place
from tests.e2e.node_clients import NodeProcess
from tests.e2e.node_clients.own_packages import ensure_own_packages

OpenWay = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Place]]


@asynccontextmanager
async def open_sockets(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The protocol over a WebSocket."""
    yield SocketPlace(request.getfixturevalue("tokens"))


@asynccontextmanager
async def open_http(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The protocol over HTTP."""
    yield HttpPlace(request.getfixturevalue("tokens"))


@asynccontextmanager
async def open_npm(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The npm adapter ``chat-state-django``."""
    tokens = request.getfixturevalue("tokens")
    await asyncio.to_thread(ensure_own_packages)
    async with NodeProcess(SCRIPT) as process:
        yield DjangoPlace(process, tokens)


@asynccontextmanager
async def open_remote(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The remote adapter for Python."""
    yield RemotePlace(request.getfixturevalue("tokens"))


@asynccontextmanager
async def open_in_process(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The adapter for Python in this process, on a database of its own."""
    async with services_on(request.getfixturevalue("engine"), request):
        yield InProcessPlace()


WAYS: dict[str, OpenWay] = {
    "socket": open_sockets,
    "http": open_http,
    "npm": open_npm,
    "remote": open_remote,
    "in process": open_in_process,
}
ADAPTERS = frozenset({"npm", "remote", "in process"})
