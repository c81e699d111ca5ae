"""The crews, each started once; and whether the newest Chat SDK for Python was there to run."""

import uuid
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
import pytest_asyncio

from tests.e2e.chat_bots import NodeBots
from tests.e2e.chat_bots.crews import (
    CREWS,
    DIRECT,
    BotSite,
    Crew,
    crew_in_memory,
    crew_on_site,
    python_bots,
)
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
    """Two processes of bots on one state."""
    language, _, kind = request.param.rpartition("-")
    is_modern = language != "python"
    if language == "newer-python":
        require_newer_python(request.config)
    if language == "node":
        make = NodeBots
    elif kind == "direct":
        environment = request.getfixturevalue("bot_site").process.environment()
        make = partial(python_bots, is_modern=is_modern, environment=environment)
    else:
        make = partial(python_bots, is_modern=is_modern)
    match kind:
        case "memory":
            opened = crew_in_memory(make, is_modern=is_modern)
        case "direct":
            opened = crew_on_site(DIRECT, make, is_modern=is_modern)
        case "cluster":
            site = request.getfixturevalue("bot_cluster")
            opened = crew_on_site(site.remote, make, is_modern=is_modern)
        case _:
            site = request.getfixturevalue("bot_site")
            opened = crew_on_site(site.remote, make, is_modern=is_modern)
    async with opened as crew:
        yield crew


def require_newer_python(config: pytest.Config) -> None:
    """Skip the test where there is no Python for it, and say so at the end of the report."""
    try:
        python = newer_python()
    except NoNewerPythonError as error:
        config.stash[NEWER_PYTHON] = f"NOT RUN: {error}"
        pytest.skip(str(error))
    config.stash[NEWER_PYTHON] = f"run, under {python}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if (told := terminalreporter.config.stash.get(NEWER_PYTHON, None)) is not None:
        terminalreporter.section("Chat SDK for Python 3.12 and newer")
        terminalreporter.line(f"{CHAT_SDK}: {told}")


@pytest.fixture
def thread() -> str:
    """A thread that no other test has, in a channel that none has."""
    return f"fake:{uuid.uuid4().hex}:1"
