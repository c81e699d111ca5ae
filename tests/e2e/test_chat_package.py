"""The npm adapter's own tests: alone, and on served sites."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.node_clients.own_packages import CHAT_PACKAGE, compiled_tests, run
from tests.site_process import SiteProcess


@pytest.fixture(scope="module")
def compiled() -> Iterator[Path]:
    with compiled_tests(CHAT_PACKAGE) as directory:
        yield directory


@pytest.fixture
def token(site: SiteProcess) -> str:
    """A token of a namespace of its own."""
    return site.manage("create_chat_token", "package-tests").split()[-1]


def test_the_package_passes_its_unit_tests(compiled: Path) -> None:
    run(CHAT_PACKAGE, "node", "--test", *map(str, compiled.glob("*.test.js")))


def test_the_package_passes_its_tests_on_a_served_site(
    compiled: Path, site: SiteProcess, token: str
) -> None:
    tests = map(str, (compiled / "server").glob("*.test.js"))
    environment = {"CHAT_STATE_URL": site.http_url, "CHAT_STATE_TOKEN": token}
    run(CHAT_PACKAGE, "node", "--test", *tests, environment=environment)
