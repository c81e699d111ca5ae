"""The npm adapter's own tests: alone, and on a served site."""

import os
import subprocess

import pytest

from tests.e2e.node_clients.chat_package import PACKAGE, package_to_itself
from tests.site_process import SiteProcess

DEADLINE_S = 300


def npm_test(**environment: str) -> None:
    """Run the package's tests; those on a server run if the environment names one."""
    result = subprocess.run(
        ["npm", "test"],
        cwd=PACKAGE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


@pytest.fixture
def token(site: SiteProcess) -> str:
    """A token of a namespace of its own."""
    return site.manage("create_chat_token", "package-tests").split()[-1]


def test_the_package_passes_its_tests_on_a_served_site(site: SiteProcess, token: str) -> None:
    with package_to_itself():
        npm_test(CHAT_STATE_URL=site.http_url, CHAT_STATE_TOKEN=token)
