"""Every test that asks for ``kind``, or for a subject of it, runs once against each way in."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import reduce
from operator import or_
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chat_conformance.closed_door import ClosedDoor
from tests.chat_conformance.differences import DIFFERENCES
from tests.chat_conformance.kinds import KINDS
from tests.chat_conformance.subjects.sites import Tokens
from tests.chat_conformance.subjects.subject import CallFailedError, Feature, Kind, Place, Subject
from tests.servers import PostgresServer, ValkeyServer
from tests.site_process import SiteProcess

HERE = Path(__file__).parent

CREW = 4

Newcomer = Callable[[], Awaitable[Subject]]

_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(feature): runs against subjects that have it")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        marks = metafunc.definition.iter_markers("needs")
        needed = reduce(or_, (mark.args[0] for mark in marks), Feature(0))
        kinds = [kind for kind in KINDS if needed in kind.features]
        names = [kind.name for kind in kinds]
        metafunc.parametrize("kind", kinds, indirect=True, ids=names, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(HERE) or not isinstance(item, pytest.Function):
            continue
        if pytest_asyncio.is_async_test(item):
            # the processes and sockets of a kind live in one loop, as long as its tests
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        for difference in DIFFERENCES:
            if difference.concerns(item):
                item.add_marker(_expected(difference.reason))


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> Kind:
    """The way in that the test is run against."""
    kind: Kind = request.param
    return kind


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def place(kind: Kind, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Where the subjects of this kind come from."""
    async with kind.open(request) as place:
        yield place


@pytest.fixture
def namespace(place: Place) -> str:
    """The namespace of this test, which nobody else uses."""
    return place.new_namespace(f"conformance-{next(_numbers)}")


@pytest_asyncio.fixture(loop_scope="session")
async def newcomer(place: Place, namespace: str) -> AsyncIterator[Newcomer]:
    """Makes another client of the namespace, which is not connected yet."""
    made: list[Subject] = []

    async def make() -> Subject:
        made.append(await place.make(namespace))
        return made[-1]

    yield make
    for subject in made:
        await place.forget(subject)


@pytest_asyncio.fixture(loop_scope="session")
async def subject(newcomer: Newcomer) -> Subject:
    """A connected client of the namespace."""
    subject = await newcomer()
    await subject.connect()
    return subject


@pytest_asyncio.fixture(loop_scope="session")
async def crew(kind: Kind, subject: Subject, newcomer: Newcomer) -> list[Subject]:
    """Several connected clients of the namespace, or one where it cannot be shared."""
    if Feature.SHARED not in kind.features:
        return [subject]
    others = [await newcomer() for _ in range(CREW - 1)]
    for other in others:
        await other.connect()
    return [subject, *others]


@pytest.fixture
def closed_door() -> Iterator[ClosedDoor]:
    """A port without a server behind it, which can get one."""
    door = ClosedDoor()
    yield door
    door.close()


@pytest.fixture(scope="session")
def conformance_valkey() -> Iterator[ValkeyServer]:
    """One Valkey for the whole session."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture(scope="session")
def conformance_site_sqlite() -> Iterator[SiteProcess]:
    """A served site on SQLite for the whole session."""
    with SiteProcess() as site:
        yield site


@pytest.fixture(scope="session")
def conformance_second_site_sqlite(
    conformance_site_sqlite: SiteProcess,
) -> Iterator[SiteProcess]:
    """A second process on the same files."""
    with SiteProcess(data_directory=conformance_site_sqlite.data_directory) as site:
        yield site


@pytest.fixture(scope="session")
def conformance_database(postgres_server: PostgresServer) -> str:
    """The URL of a PostgreSQL database for the whole session."""
    return postgres_server.create_database("conformance site")


@pytest.fixture(scope="session")
def conformance_site_postgresql(conformance_database: str) -> Iterator[SiteProcess]:
    """A served site on that database for the whole session."""
    with SiteProcess(database_url=conformance_database) as site:
        yield site


@pytest.fixture(scope="session")
def conformance_second_site_postgresql(
    conformance_database: str, conformance_site_postgresql: SiteProcess
) -> Iterator[SiteProcess]:
    """A second process on the same database, which the first has migrated."""
    with SiteProcess(database_url=conformance_database) as site:
        yield site


@pytest.fixture(scope="session")
def tokens_sqlite(conformance_site_sqlite: SiteProcess) -> Tokens:
    """Tokens of that site."""
    return Tokens(conformance_site_sqlite)


@pytest.fixture(scope="session")
def tokens_postgresql(conformance_site_postgresql: SiteProcess) -> Tokens:
    """Tokens of that site."""
    return Tokens(conformance_site_postgresql)


def _expected(reason: str) -> pytest.MarkDecorator:
    raises = (AssertionError, CallFailedError, pytest.fail.Exception)
    return pytest.mark.xfail(strict=True, raises=raises, reason=reason)
