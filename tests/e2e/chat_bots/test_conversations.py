"""What a conversation needs: subscriptions, one answer a message, state, history, transcripts."""

import asyncio
import uuid

import pytest

from tests.e2e.chat_bots.crews import CREWS, MODERN_CREWS, Crew
from tests.e2e.node_clients import NodeClientError

pytestmark = pytest.mark.asyncio(loop_scope="session")

DURABLE_CREWS = [crew for crew in CREWS if not crew.endswith("memory")]


async def test_a_mention_subscribes_the_thread(crew: Crew, thread: str) -> None:
    bot = await crew.bot()

    await bot.say(thread, "unheard", "@bot hi", "heard of")

    assert await bot.posts(thread) == ["hello @bot hi", "heard heard of"]


async def test_a_subscription_holds_for_every_bot(crew: Crew, thread: str) -> None:
    first, second = await crew.pair()

    await first.say(thread, "@bot hi")
    await second.say(thread, "one", "bye")
    await first.say(thread, "unheard")

    assert await first.posts(thread) == ["hello @bot hi"]
    assert await second.posts(thread) == ["heard one", "bye"]


async def test_a_command_needs_no_subscription(crew: Crew, thread: str) -> None:
    bot = await crew.bot()

    await bot.say(thread, "!help", "help")

    assert await bot.posts(thread) == ["command !help"]


async def test_a_message_that_comes_often_is_answered_once(crew: Crew, thread: str) -> None:
    first, second = await crew.pair()
    message_id = f"{thread}-again"

    at_once = [bot.deliver(thread, "!help", message_id=message_id) for bot in (first, second) * 8]
    await asyncio.gather(*(delivery.handled() for delivery in at_once))
    await second.deliver(thread, "!help", message_id=message_id).handled()

    assert [*await first.posts(thread), *await second.posts(thread)] == ["command !help"]


async def test_many_threads_at_once_do_not_mix(crew: Crew, thread: str) -> None:
    first, second = await crew.pair()
    threads = [f"{thread}.{number}" for number in range(20)]

    deliveries = [
        bot.deliver(each, f"!{name}")
        for each in threads
        for name, bot in (("first", first), ("second", second))
    ]
    outcomes = await asyncio.gather(
        *(delivery.handled() for delivery in deliveries), return_exceptions=True
    )

    refused = [outcome for outcome in outcomes if outcome is not None]
    assert {outcome.tag for outcome in refused if isinstance(outcome, NodeClientError)} <= {
        "LockError"
    }
    for each in threads:
        posts = [*await first.posts(each), *await second.posts(each)]
        assert posts
        assert set(posts) <= {"command !first", "command !second"}
        assert len(posts) == len(set(posts))


async def test_a_threads_state_is_shared(crew: Crew, thread: str) -> None:
    first, second = await crew.pair()

    await first.say(thread, "@bot hi", "count")
    await second.say(thread, "count", "count")
    await first.say(thread, "count")

    assert await first.posts(thread) == ["hello @bot hi", "count 1", "count 4"]
    assert await second.posts(thread) == ["count 2", "count 3"]


async def test_history_holds_what_all_said_in_order(crew: Crew, thread: str) -> None:
    first, second = await crew.pair(keeps_history=True)

    await first.say(thread, "unheard", "@bot hi")
    await second.say(thread, "one", "history")

    said = ["unheard", "@bot hi", "hello @bot hi", "one", "heard one", "history"]
    assert (await second.posts(thread))[-1] == f"history: {', '.join(said)}"


async def test_text_comes_back_as_it_was(crew: Crew, thread: str) -> None:
    bot = await crew.bot(keeps_history=True)
    text = '!Grüße 👋🏽 \u0000 \u2028 </script> \\ " 1e400'

    await bot.say(thread, "@bot hi", text, "history")

    history = (await bot.posts(thread))[-1]
    assert history == f"history: @bot hi, hello @bot hi, {text}, heard {text}, history"


async def test_a_failed_handler_lets_the_next_message_in(crew: Crew, thread: str) -> None:
    bot = await crew.bot()
    await bot.say(thread, "@bot hi")

    with pytest.raises(NodeClientError, match="the handler failed"):
        await bot.say(thread, "fail")
    await bot.say(thread, "next")

    assert await bot.posts(thread) == ["hello @bot hi", "heard next"]


@pytest.mark.parametrize("crew", DURABLE_CREWS, indirect=True)
async def test_what_a_bot_knew_its_successor_knows(crew: Crew, thread: str) -> None:
    first, second = await crew.pair(keeps_history=True)
    await first.say(thread, "@bot hi", "count")
    seen = first.deliver(thread, "once")
    await seen.handled()
    await first.close()

    await second.deliver(thread, "once", message_id=seen.id).handled()
    await second.say(thread, "count", "history")

    said = ["@bot hi", "hello @bot hi", "count", "count 1", "once", "heard once"]
    said += ["count", "count 2", "history"]
    assert await second.posts(thread) == ["count 2", f"history: {', '.join(said)}"]


@pytest.mark.parametrize("crew", MODERN_CREWS, indirect=True)
async def test_a_transcript_follows_its_user(crew: Crew, thread: str) -> None:
    first, second = await crew.pair(keeps_transcripts=True)
    ann, ben = (f"{name}-{uuid.uuid4().hex}" for name in ("ann", "ben"))
    other = f"{thread}.other"
    await first.say(thread, "@bot hi")
    await second.say(other, "@bot hi")

    await first.say(thread, "remember a", user=ann)
    await second.say(other, "remember b", user=ann)
    await second.say(other, "recall", user=ann)
    await second.say(other, "recall", user=ben)

    transcript = "user remember a, assistant noted remember a"
    transcript += ", user remember b, assistant noted remember b"
    assert (await second.posts(other))[-2:] == [f"recalled: {transcript}", "recalled: "]


@pytest.mark.parametrize("crew", MODERN_CREWS, indirect=True)
async def test_a_deleted_transcript_is_gone_for_all(crew: Crew, thread: str) -> None:
    first, second = await crew.pair(keeps_transcripts=True)
    ann = f"ann-{uuid.uuid4().hex}"
    await first.say(thread, "@bot hi")

    await first.say(thread, "remember a", user=ann)
    await second.say(thread, "forget", "recall", "remember b", "recall", user=ann)

    assert (await second.posts(thread)) == [
        "forgot 2",
        "recalled: ",
        "noted remember b",
        "recalled: user remember b, assistant noted remember b",
    ]
