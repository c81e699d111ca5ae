"""The npm adapter's own tests: alone, and on served sites."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.node_clients.chat_package import PACKAGE
from tests.site_process import SiteProcess

DEADLINE_S = 300


def run(*command: str | Path, **environment: str) -> None:
    """Run a command in the package; its whole output is shown if it fails."""
    result = subprocess.run(
        command,
        cwd=PACKAGE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


@pytest.fixture(scope="module")
def compiled() -> Iterator[Path]:
    """The package and its tests in JavaScript, in a directory of this run's own."""
    directory = PACKAGE / "test-build" / f"run-{os.getpid()}"
    run("node_modules/.bin/tsc", "--outDir", directory)
    yield directory / "test"
    shutil.rmtree(directory)


@pytest.fixture
def token(site: SiteProcess) -> str:
    """A token of a namespace of its own."""
    return site.manage("create_chat_token", "package-tests").split()[-1]


def test_the_package_passes_its_unit_tests(compiled: Path) -> None:
    run("node", "--test", *compiled.glob("*.test.js"))


def test_the_package_passes_its_tests_on_a_served_site(
    compiled: Path, site: SiteProcess, token: str
) -> None:
    tests = (compiled / "server").glob("*.test.js")
    run("node", "--test", *tests, CHAT_STATE_URL=site.http_url, CHAT_STATE_TOKEN=token)
