"""Subscriptions, locks, cache, lists and queues: a name of one is no name of another."""

import pytest

from tests.chat_conformance.spaces import SPACES, Space
from tests.chat_conformance.subjects.subject import Subject

NAME = "chat:callback:1f0c"


async def test_one_name_is_of_use_in_every_space(subject: Subject) -> None:
    spaces = [space() for space in SPACES]
    for number, space in enumerate(spaces):
        await space.put(subject, NAME, number)

    assert [await space.find(subject, NAME) for space in spaces] == list(range(len(spaces)))


@pytest.mark.parametrize("ended", SPACES, ids=[space.name for space in SPACES])
async def test_what_ends_in_one_space_stays_in_the_others(
    subject: Subject, ended: type[Space]
) -> None:
    spaces = [space() for space in SPACES]
    for number, space in enumerate(spaces):
        await space.put(subject, NAME, number)
    (end,) = [space for space in spaces if isinstance(space, ended)]

    await end.end(subject, NAME)

    found = {space.name: await space.find(subject, NAME) for space in spaces}
    expected = {space.name: number for number, space in enumerate(spaces)}
    assert found == expected | {ended.name: None}
