"""docs/chat.md: its Python bot answers on a served site; its TypeScript bot is the package's own.

That one is run by the tests of ``clients/chat-state-django``.
"""

import json
from typing import Any

import pytest
from chat_sdk import Chat
from chat_sdk.adapters import slack

from tests.chat_client import create_token
from tests.docs.pages import page
from tests.e2e.chat_bots.fake_platform import FakePlatform
from tests.site_process import SiteProcess

PAGE = page("docs/chat.md")
README = page("clients/chat-state-django/README.md")
PACKAGE = page("clients/chat-state-django/package.json")


async def test_the_python_bot_listens_and_answers(
    site: SiteProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = FakePlatform(keeps_history=False, lets_abort=False)
    platform.user_name = "my-bot"
    monkeypatch.setattr(slack, "create_slack_adapter", lambda: platform)
    monkeypatch.setenv("CHAT_STATE_URL", site.http_url)
    monkeypatch.setenv("CHAT_STATE_TOKEN", create_token(site, "docs-bot"))
    program: dict[str, Any] = {}
    exec(PAGE.block("bot.py").text.replace('"slack":', '"fake":'), program)
    bot: Chat = program["bot"]

    await bot.initialize()
    for number, text in enumerate(["@my-bot hello", "still there?"]):
        message = {"thread": "fake:1", "messageId": str(number), "text": text, "user": "ann"}
        await platform.receive(bot.webhooks["fake"], message)
    await bot.shutdown()

    said = [post["text"] for post in platform.posts]
    assert said == ["I am listening.", "You said: still there?"]


def test_the_typescript_bot_is_the_one_of_the_package() -> None:
    assert PAGE.block("bot.ts").text == README.blocks_in("ts")[0].text


def test_the_package_that_is_packed_is_the_one_that_is_installed() -> None:
    package = json.loads(PACKAGE.text)

    assert f"/{package['name']}-{package['version']}.tgz" in PAGE.text
