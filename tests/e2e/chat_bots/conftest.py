"""The crews, each started once; and whether the newest Chat SDK for Python was there to run."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.e2e.chat_bots import BotProcess, NodeBots, PythonBots, State
from tests.e2e.chat_bots.crews import CREWS, DIRECT, BotSite, Crew, Member
from tests.e2e.chat_bots.newer_python import CHAT_SDK, NoNewerPythonError, newer_python
from tests.site_process import SiteProcess

NEWER_PYTHON = pytest.StashKey[str]()
"""What became of the newest Chat SDK for Python, for the end of the report."""


@pytest.fixture(scope="session")
def bot_site() -> Iterator[BotSite]:
    """A site on the embedded default, which a test must leave running."""
    with SiteProcess() as process:
        yield BotSite.of(process)


@pytest.fixture(scope="session")
def bot_cluster(cluster: tuple[str, str]) -> Iterator[BotSite]:
    """A site of two workers on PostgreSQL."""
    postgres_url, valkey_url = cluster
    with SiteProcess(database_url=postgres_url, redis_url=valkey_url, workers=2) as process:
        yield BotSite.of(process)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=CREWS)
async def crew(request: pytest.FixtureRequest) -> AsyncIterator[Crew]:
    """Two bots' processes on one state; see ``crews`` for the names."""
    names = request.param.split("+")
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_member(names[0], request))
        if names == [f"{language_of(names[0])}-memory"]:
            second = first
        else:
            second = await stack.enter_async_context(open_member(names[-1], request))
        is_modern = all(language_of(name) != "python" for name in names)
        yield Crew(first=first, second=second, is_modern=is_modern)


@contextlib.asynccontextmanager
async def open_member(name: str, request: pytest.FixtureRequest) -> AsyncIterator[Member]:
    """A process and the state that its bots get, by the member's name."""
    async with process_of(name, request) as process:
        yield Member(process=process, state=state_of(name, request))


def process_of(name: str, request: pytest.FixtureRequest) -> BotProcess:
    language = language_of(name)
    if language == "node":
        return NodeBots(platform_websocket=name.endswith("-cluster"))
    python = {"python": newer_python_of(request.config)} if language == "newer-python" else {}
    if name.endswith("-direct"):
        site: BotSite = request.getfixturevalue("bot_site")
        settings = {"DJANGO_SETTINGS_MODULE": "syncsite.settings"}
        return PythonBots(**python, environment={**site.process.environment(), **settings})
    return PythonBots(**python)


def state_of(name: str, request: pytest.FixtureRequest) -> State:
    match name.rpartition("-")[2]:
        case "memory":
            return {"kind": "memory", "name": uuid.uuid4().hex}
        case "direct":
            return DIRECT
        case "cluster":
            cluster: BotSite = request.getfixturevalue("bot_cluster")
            return cluster.remote
        case _:
            site: BotSite = request.getfixturevalue("bot_site")
            return site.remote


def language_of(name: str) -> str:
    return name.rpartition("-")[0]


def newer_python_of(config: pytest.Config) -> str:
    """The Python, or a skip where there is none; the end of the report tells which."""
    try:
        python = newer_python()
    except NoNewerPythonError as error:
        config.stash[NEWER_PYTHON] = f"NOT RUN: {error}"
        pytest.skip(str(error))
    config.stash[NEWER_PYTHON] = f"run, under {python}"
    return python


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if (told := terminalreporter.config.stash.get(NEWER_PYTHON, None)) is not None:
        terminalreporter.section("Chat SDK for Python 3.12 and newer")
        terminalreporter.line(f"{CHAT_SDK}: {told}")


@pytest.fixture
def thread() -> str:
    """A thread that no other test has, in a channel that none has."""
    return f"fake:{uuid.uuid4().hex}:1"
