"""Clients of one namespace share everything, clients of two share nothing."""

from collections.abc import Sequence

import pytest

from tests.chat_conformance.expiry import LONG_MS
from tests.chat_conformance.spaces import SPACES, Space
from tests.chat_conformance.subjects.subject import Feature, Place, Subject

EVERYWHERE = pytest.mark.parametrize("space", SPACES, ids=[space.name for space in SPACES])


@pytest.mark.needs(Feature.SHARED)
@EVERYWHERE
async def test_what_one_client_stores_another_sees(
    crew: Sequence[Subject], space: type[Space]
) -> None:
    names = space()
    await names.put(crew[0], "name", 1)

    assert await names.find(crew[1], "name") == 1


@pytest.mark.needs(Feature.SHARED)
async def test_a_lock_of_one_client_can_be_given_back_by_another(crew: Sequence[Subject]) -> None:
    lock = await crew[0].acquire_lock("thread", LONG_MS)
    assert await crew[1].acquire_lock("thread", LONG_MS) is None
    assert await crew[1].extend_lock(lock, LONG_MS) is True
    await crew[2].release_lock(lock)

    assert await crew[3].acquire_lock("thread", LONG_MS) is not None


@EVERYWHERE
async def test_one_name_in_two_namespaces_is_two(
    subject: Subject, place: Place, namespace: str, space: type[Space]
) -> None:
    stranger = await place.make(place.new_namespace(f"{namespace}-stranger"))
    try:
        await stranger.connect()
        names, strange = space(), space()
        await names.put(subject, "name", 1)
        await strange.put(stranger, "name", 2)
        await strange.end(stranger, "name")

        assert await strange.find(stranger, "name") is None
        assert await names.find(subject, "name") == 1
    finally:
        await place.forget(stranger)
