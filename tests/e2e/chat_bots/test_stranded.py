"""A message that is put into the queue when nobody looks into it any more (vercel/chat#928).

The holder of a lock finds the queue empty, then releases. What another bot enqueues between the
two stays until the thread's next message, or until its time is up. So does what is enqueued after
the release, by a bot that found the lock taken before.
"""

import pytest

from tests.e2e.chat_bots import Bot, eventually
from tests.e2e.chat_bots.crews import CREWS, Crew

pytestmark = pytest.mark.asyncio(loop_scope="session")

MEMORY_CREWS = [crew for crew in CREWS if crew.endswith("memory")]
RESCUING_CREWS = [crew for crew in CREWS if crew not in MEMORY_CREWS]
QUEUE = {"strategy": "queue"}


@pytest.mark.parametrize("crew", MEMORY_CREWS, indirect=True)
async def test_on_memory_a_late_message_waits_for_the_next(crew: Crew, thread: str) -> None:
    first, second = await crew.pair(concurrency=QUEUE)
    await first.say(thread, "@bot hi")

    await say_after_the_last_look(first, second, thread)
    assert await first.state("queueDepth", thread) == 1
    assert await first.posts(thread) == ["hello @bot hi", "heard one hold"]
    assert await second.posts(thread) == []

    await second.say(thread, "next")
    assert await second.posts(thread) == ["heard next", "heard late"]


@pytest.mark.parametrize("crew", MEMORY_CREWS, indirect=True)
async def test_on_memory_a_message_after_the_release_waits_too(crew: Crew, thread: str) -> None:
    first, second = await crew.pair(concurrency=QUEUE)
    await first.say(thread, "@bot hi")

    await say_after_the_release(first, second, thread)

    assert await first.state("queueDepth", thread) == 1
    assert await first.posts(thread) == ["hello @bot hi", "heard one hold"]
    assert await second.posts(thread) == []


@pytest.mark.parametrize("crew", RESCUING_CREWS, indirect=True)
async def test_ours_hands_a_late_message_to_who_released(crew: Crew, thread: str) -> None:
    first, second = await crew.pair(concurrency=QUEUE, rescues=True)
    await first.say(thread, "@bot hi")

    await say_after_the_last_look(first, second, thread)

    said = ["hello @bot hi", "heard one hold", "heard late"]
    await eventually(lambda: has_posted(first, thread, said), what="the late message's answer")
    assert await first.state("queueDepth", thread) == 0
    assert await second.posts(thread) == []


@pytest.mark.parametrize("crew", RESCUING_CREWS, indirect=True)
async def test_ours_hands_a_message_after_the_release_to_who_got_it(
    crew: Crew, thread: str
) -> None:
    first, second = await crew.pair(concurrency=QUEUE, rescues=True)
    await first.say(thread, "@bot hi")

    await say_after_the_release(first, second, thread)

    await eventually(lambda: has_posted(second, thread, ["heard late"]), what="its answer")
    assert await first.state("queueDepth", thread) == 0
    assert await first.posts(thread) == ["hello @bot hi", "heard one hold"]


@pytest.mark.parametrize("crew", RESCUING_CREWS, indirect=True)
async def test_what_was_stranded_is_in_the_history_once(crew: Crew, thread: str) -> None:
    first, second = await crew.pair(concurrency=QUEUE, rescues=True, keeps_history=True)
    await first.say(thread, "@bot hi")

    await say_after_the_last_look(first, second, thread, "late", "later")

    await eventually(lambda: has_said_last(first, thread, "later"), what="the late answers")
    await first.say(thread, "history")
    await eventually(lambda: has_said_last(first, thread, "history"), what="the history")

    told = (await first.posts(thread))[-1].removeprefix("history: ").split(", ")
    from_users = [text for text in told if not text.startswith(("hello", "heard"))]
    assert await second.posts(thread) == []
    assert from_users == ["@bot hi", "one hold", "late", "later", "history"]


async def has_posted(bot: Bot, thread: str, posts: list[str]) -> bool:
    """Whether the bot said this, and nothing else."""
    return await bot.posts(thread) == posts


async def has_said_last(bot: Bot, thread: str, word: str) -> bool:
    """Whether the bot's last post ends with the word."""
    return (await bot.posts(thread))[-1].endswith(word)


async def say_after_the_last_look(first: Bot, second: Bot, thread: str, *texts: str) -> None:
    """The first bot found the queue empty; before it releases, the second is told "late"."""
    one = first.deliver(thread, "one hold")
    await one.begun()
    await first.pause("after dequeue")
    await first.finish(one.id)
    await first.paused("after dequeue")
    await second.say(thread, *(texts or ["late"]))
    await first.resume("after dequeue")
    await one.handled()


async def say_after_the_release(first: Bot, second: Bot, thread: str) -> None:
    """The second bot found the lock taken; before it enqueues "late", the first releases."""
    one = first.deliver(thread, "one hold")
    await one.begun()
    await second.pause("before enqueue")
    late = second.deliver(thread, "late")
    await second.paused("before enqueue")
    await one.finish()
    await second.resume("before enqueue")
    await late.handled()
