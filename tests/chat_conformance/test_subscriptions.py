"""subscribe, unsubscribe, isSubscribed: membership in a set, for ever."""

from tests.chat_conformance.subjects.subject import Subject


async def test_nobody_listens_at_first(subject: Subject) -> None:
    assert await subject.is_subscribed("slack:C1:1.2") is False


async def test_a_subscription_is_for_its_thread_alone(subject: Subject) -> None:
    await subject.subscribe("slack:C1:1.2")

    assert await subject.is_subscribed("slack:C1:1.2") is True
    assert await subject.is_subscribed("slack:C1:1.3") is False


async def test_to_subscribe_twice_is_to_subscribe_once(subject: Subject) -> None:
    await subject.subscribe("thread")
    await subject.subscribe("thread")
    await subject.unsubscribe("thread")

    assert await subject.is_subscribed("thread") is False


async def test_an_unknown_thread_can_be_unsubscribed(subject: Subject) -> None:
    await subject.unsubscribe("thread")
    await subject.unsubscribe("thread")

    assert await subject.is_subscribed("thread") is False


async def test_to_unsubscribe_leaves_the_others(subject: Subject) -> None:
    await subject.subscribe("thread")
    await subject.subscribe("other")
    await subject.unsubscribe("thread")

    assert await subject.is_subscribed("other") is True


async def test_a_thread_can_be_subscribed_again(subject: Subject) -> None:
    await subject.subscribe("thread")
    await subject.unsubscribe("thread")
    await subject.subscribe("thread")

    assert await subject.is_subscribed("thread") is True
