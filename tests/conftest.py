"""What every test may use: the embedded servers, how hypothesis runs, and what a drill is.

``make test`` has several workers (pytest-xdist); each has its own servers and directories.

A drill (``pytest --drill``, ``make drill``) runs the fault tests at full length. It selects the
tests with a ``figure``, which is larger there, and those marked ``drill``, which run only there.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import hypothesis
import pytest

from tests.servers import PostgresServer, ValkeyServer

if TYPE_CHECKING:
    from tests.sharing_out import TogetherScheduling

# no deadline: a busy machine is no failure; no database: examples worth keeping are in the tests
hypothesis.settings.register_profile("tests", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("tests")


class Figure(Protocol):
    """How much of something a test does."""

    def __call__(self, *, usually: int, drill: int) -> int:
        """One of the two."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--drill", action="store_true", help="run the drills, at full length")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    is_drill = config.getoption("drill")
    left_out = [item for item in items if not _is_chosen(item, is_drill=is_drill)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _is_chosen(item, is_drill=is_drill)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "TogetherScheduling":
    # only now: the tests also run without pytest-xdist
    from tests.sharing_out import TogetherScheduling

    config.option.loadscopereorder = False  # keeps the order of the collection
    return TogetherScheduling(config, log)


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Figure:
    """Called with two figures, gives the one for this run."""
    is_drill = pytestconfig.getoption("drill")
    return lambda *, usually, drill: drill if is_drill else usually


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests that do not stop it; each makes databases of its own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def valkey_server() -> Iterator[ValkeyServer]:
    """A Valkey for this test alone, which may kill it."""
    with ValkeyServer() as server:
        yield server


def _is_chosen(item: pytest.Item, *, is_drill: bool) -> bool:
    is_only_drill = item.get_closest_marker("drill") is not None
    if not is_drill:
        return not is_only_drill
    return is_only_drill or "figure" in getattr(item, "fixturenames", ())
