"""docs/chat-protocol.md: its commands for HTTP give the answers that stand below them."""

import os
import shutil
import subprocess

import httpx
import pytest

from tests.chat_client import create_token
from tests.docs.pages import page
from tests.site_process import SiteProcess

PAGE = page("docs/chat-protocol.md")
BLOCKS = PAGE.blocks[PAGE.blocks.index(PAGE.blocks_in("sh")[0]) :]
EXAMPLES = list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True))
DOCUMENTED_URL = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def token(site: SiteProcess) -> str:
    """A token for all examples, each of which stands on those before it."""
    return create_token(site, "docs-http")


def test_each_command_is_followed_by_its_answer() -> None:
    assert [(asked.language, told.language) for asked, told in EXAMPLES] == [("sh", "json")] * 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_commands_give_the_documented_answers(site: SiteProcess, token: str) -> None:
    for asked, told in EXAMPLES:
        printed = subprocess.run(
            ["bash", "-euc", _script(asked.text, site)],
            env={**os.environ, "CHAT_STATE_TOKEN": token, "no_proxy": "*"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        assert printed.strip() == told.text.strip()


def test_the_description_is_where_it_is_said_to_be(http: httpx.Client) -> None:
    answer = http.get("/api/chat/v1/schema")

    assert "`GET /api/chat/v1/schema`" in PAGE.text
    assert answer.json()["openapi"].startswith("3.0")


def _script(text: str, site: SiteProcess) -> str:
    # each answer on a line of its own; the text of an answer does not end with one
    return text.replace(DOCUMENTED_URL, site.http_url).replace("\ncurl", "\necho; curl")
