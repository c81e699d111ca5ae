"""What the rescue of stranded messages leaves alone; bots rescue in ``tests/e2e/chat_bots``."""

import asyncio

import pytest
from chat_sdk import Chat
from chat_sdk.state.memory import MemoryStateAdapter
from chat_sdk.testing import MockAdapter, create_test_message
from chat_sdk.types import QueueEntry

from chatstate.adapters.rescue import rescue_stranded


class ToldState(MemoryStateAdapter):
    """Chat SDK's memory, which can be told that a queue is stranded."""

    def add_stranded_handler(self, handler):
        self.tell_stranded = handler


@pytest.fixture
async def state():
    state = ToldState()
    await state.connect()
    return state


def make_bot(state):
    return Chat(user_name="bot", adapters={"slack": MockAdapter()}, state=state)


async def test_a_state_of_others_is_refused():
    with pytest.raises(TypeError, match="an adapter of chatstate"):
        rescue_stranded(make_bot(MemoryStateAdapter()))


async def test_the_queue_of_another_bots_platform_is_left_alone(state):
    rescue_stranded(make_bot(state))
    message = create_test_message("1", "hi", thread_id="teams:c:1")
    await state.enqueue(
        "teams:c:1", QueueEntry(message=message, enqueued_at=0, expires_at=2**62), 9
    )

    with pytest.raises(LookupError, match="no platform 'teams'"):
        await state.tell_stranded("teams:c:1")

    assert await state.queue_depth("teams:c:1") == 1


async def test_a_message_in_the_queue_is_handled_though_it_was_seen(state):
    bot = make_bot(state)
    handled = asyncio.Event()

    @bot.on_mention
    async def answer(thread, message, context=None):
        handled.set()

    rescue_stranded(bot)
    message = create_test_message("1", "@bot hi", is_mention=True)
    thread = message.thread_id
    await state.set_if_not_exists("dedupe:slack:1", True)
    await state.enqueue(thread, QueueEntry(message=message, enqueued_at=0, expires_at=2**62), 9)

    await state.tell_stranded(thread)

    async with asyncio.timeout(10):
        await handled.wait()
    assert await state.queue_depth(thread) == 0
