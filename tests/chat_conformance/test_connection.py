"""connect() and disconnect(), and what every other method does without them."""

import asyncio
import re

import pytest

from tests.chat_conformance.closed_door import ClosedDoor
from tests.chat_conformance.conftest import Newcomer
from tests.chat_conformance.expiry import LONG_MS
from tests.chat_conformance.subjects.subject import CallFailedError, Feature, Place, Subject

pytestmark = pytest.mark.needs(Feature.CONNECTS)

LOCK = {"threadId": "thread", "token": "token", "expiresAt": 4_102_444_800_000}
ENTRY = {"message": {"number": 1}, "enqueuedAt": 1, "expiresAt": 4_102_444_800_000}
CALLS = {
    "subscribe": ("thread",),
    "unsubscribe": ("thread",),
    "isSubscribed": ("thread",),
    "acquireLock": ("thread", LONG_MS),
    "extendLock": (LOCK, LONG_MS),
    "releaseLock": (LOCK,),
    "forceReleaseLock": ("thread",),
    "get": ("key",),
    "set": ("key", "value"),
    "setIfNotExists": ("key", "value"),
    "delete": ("key",),
    "appendToList": ("key", "value"),
    "getList": ("key",),
    "enqueue": ("thread", ENTRY, 10),
    "dequeue": ("thread",),
    "queueDepth": ("thread",),
}
NOT_CONNECTED = re.compile("not connected", re.IGNORECASE)

every_method = pytest.mark.parametrize("method", CALLS)


@every_method
async def test_no_method_works_before_connect(newcomer: Newcomer, method: str) -> None:
    subject = await newcomer()

    with pytest.raises(CallFailedError, match=NOT_CONNECTED):
        await subject.call(method, *CALLS[method])


@every_method
async def test_no_method_works_after_disconnect(subject: Subject, method: str) -> None:
    await subject.disconnect()

    with pytest.raises(CallFailedError, match=NOT_CONNECTED):
        await subject.call(method, *CALLS[method])


async def test_to_connect_twice_is_to_connect_once(subject: Subject) -> None:
    await subject.connect()
    await subject.set("key", "value")
    assert await subject.get("key") == "value"

    await subject.disconnect()
    with pytest.raises(CallFailedError, match=NOT_CONNECTED):
        await subject.get("key")


async def test_many_may_connect_at_once(newcomer: Newcomer) -> None:
    subject = await newcomer()
    await asyncio.gather(*(subject.connect() for _ in range(10)))

    await subject.set("key", "value")
    assert await subject.get("key") == "value"


async def test_to_disconnect_needs_no_connection(newcomer: Newcomer) -> None:
    subject = await newcomer()
    await subject.disconnect()
    await subject.disconnect()
    await subject.connect()

    assert await subject.get("key") is None


async def test_to_disconnect_twice_is_to_disconnect_once(subject: Subject) -> None:
    await subject.disconnect()
    await subject.disconnect()

    with pytest.raises(CallFailedError, match=NOT_CONNECTED):
        await subject.get("key")


async def test_what_was_stored_outlives_the_connection(subject: Subject) -> None:
    lock = await subject.acquire_lock("thread", LONG_MS)
    await subject.subscribe("thread")
    await subject.set("key", "value")
    await subject.append_to_list("list", "value")
    await subject.enqueue("thread", ENTRY, 10)

    await subject.disconnect()
    await subject.connect()

    assert await subject.is_subscribed("thread") is True
    assert await subject.extend_lock(lock, LONG_MS) is True
    assert await subject.get("key") == "value"
    assert await subject.get_list("list") == ["value"]
    assert (await subject.dequeue("thread"))["message"] == ENTRY["message"]


@pytest.mark.needs(Feature.REACHES)
async def test_a_failed_attempt_to_connect_leaves_room_for_another(
    place: Place, namespace: str, closed_door: ClosedDoor
) -> None:
    subject = await place.make(namespace, port=closed_door.port)
    try:
        attempts = await asyncio.gather(
            *(subject.connect() for _ in range(3)), return_exceptions=True
        )
        assert [type(attempt) for attempt in attempts] == [CallFailedError] * 3
        with pytest.raises(CallFailedError, match=NOT_CONNECTED):
            await subject.get("key")

        await closed_door.open(place.server_port)
        await subject.connect()

        await subject.set("key", "value")
        assert await subject.get("key") == "value"
    finally:
        await place.forget(subject)


async def test_one_can_connect_again_and_again(subject: Subject) -> None:
    for number in range(3):
        await subject.disconnect()
        await subject.connect()
        await subject.set("key", number)

    assert await subject.get("key") == 2
