"""A served site for the examples of the documents."""

from collections.abc import Iterator

import httpx
import pytest

from tests.docs.browser import PROGRAMS, Browser, find_browser
from tests.e2e.node_clients import ensure_installed
from tests.site_process import SiteProcess


@pytest.fixture(scope="session")
def site() -> Iterator[SiteProcess]:
    """A site on the development settings, which a test must leave running."""
    with SiteProcess() as site:
        yield site


@pytest.fixture
def http(site: SiteProcess) -> Iterator[httpx.Client]:
    """A client of that site."""
    with httpx.Client(base_url=site.http_url, verify=False) as client:
        yield client


@pytest.fixture(scope="session")
def npm_packages() -> None:
    """The packages that the JavaScript examples import."""
    ensure_installed()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium, where there is one: the tests need no more than Python and Node otherwise."""
    program = find_browser()
    if program is None:
        pytest.skip(f"none of {', '.join(PROGRAMS)} is on the path")
    with Browser(program) as browser:
        yield browser
