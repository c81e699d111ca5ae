"""Every way in of each site: a test that asks for ``subject`` runs once against each."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.bad_inputs.chatstate.ways import WAYS
from tests.bad_inputs.site_under_test import SiteUnderTest
from tests.chat_conformance.subjects.sites import Tokens
from tests.chat_conformance.subjects.subject import Place, Subject

HERE = Path(__file__).parent

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and pytest_asyncio.is_async_test(item):
            # the processes and sockets of a way live in one loop, as long as its tests
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def tokens(site: SiteUnderTest) -> Tokens:
    """Tokens of the site."""
    return Tokens(site.process)


@pytest.fixture(scope="session", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """The name of a way in."""
    return str(request.param)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def place(engine: str, way: str, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Where clients of the way come from."""
    async with WAYS[way](request) as place:
        yield place


@pytest_asyncio.fixture(loop_scope="session")
async def subject(place: Place) -> AsyncIterator[Subject]:
    """A connected client of a namespace that nobody else uses."""
    client = await place.make(place.new_namespace(f"bad-inputs-{next(_numbers)}"))
    await client.connect()
    yield client
    await place.forget(client)
