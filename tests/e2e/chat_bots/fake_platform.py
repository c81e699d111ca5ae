"""A chat platform in this process: webhooks come from ``receive``, posts stay in ``posts``."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from chat_sdk.testing import MockAdapter, create_test_message
from chat_sdk.types import (
    Author,
    ChatInstance,
    Message,
    MessageMetadata,
    RawMessage,
    WebhookOptions,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

PROPAGATE = "propagate_handler_errors"
TELLS_ERRORS: Any = {PROPAGATE: True} if hasattr(WebhookOptions, PROPAGATE) else {}
"""Chat SDK 4.27 always does."""


class FakePlatform(MockAdapter):
    """An adapter of a platform that keeps no history of its own.

    Args:
        keeps_history: whether the bot shall keep it.
        lets_abort: whether handlers can be stopped.
    """

    def __init__(self, *, keeps_history: bool, lets_abort: bool) -> None:
        super().__init__("fake")
        self.user_name = "bot"
        self.persist_message_history = keeps_history
        self.supports_turn_cancellation = lets_abort
        self.posts: list[dict[str, str]] = []

    async def initialize(self, chat: ChatInstance) -> None:
        self._chat = chat

    async def receive(self, webhook: Any, raw: dict[str, str]) -> None:
        """Deliver a message as its webhook would; return as the bot is through with it."""
        tasks: list[asyncio.Future[None]] = []
        await webhook(raw, WebhookOptions(wait_until=tasks.append, **TELLS_ERRORS))
        await asyncio.gather(*tasks)

    async def handle_webhook(self, request: Any, options: WebhookOptions | None = None) -> str:
        self._chat.process_message(self, request["thread"], self.parse_message(request), options)
        return "ok"

    async def post_message(self, thread_id: str, message: Any) -> RawMessage:
        self.posts.append({"thread": thread_id, "text": message})
        post_id = f"{thread_id}-post-{len(self.posts)}"
        return RawMessage(id=post_id, thread_id=thread_id, raw={})

    def parse_message(self, raw: dict[str, str]) -> Message:
        return create_test_message(
            raw["messageId"],
            raw["text"],
            thread_id=raw["thread"],
            raw=raw,
            author=Author(
                user_id=raw["user"],
                user_name=raw["user"],
                full_name=f"Full name of {raw['user']}",
                is_bot=False,
                is_me=False,
            ),
            metadata=MessageMetadata(date_sent=EPOCH, edited=False),
        )
