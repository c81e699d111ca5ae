"""Keys and thread ids are exact: whatever differs by a byte is another name."""

import asyncio

import pytest

from tests.chat_conformance.expiry import LONG_MS
from tests.chat_conformance.spaces import SPACES, Space
from tests.chat_conformance.subjects.subject import CallFailedError, Feature, Subject

ALIKE = [
    *("key", "KEY", "Key", "keY"),
    *(" key", "key ", "key  ", "\tkey", "key\t", "\nkey", "key\n", "key\r\n"),
    *("key:a", "key:A", "key::a", ":key:a", "key:a:", "key/a", "key//a", "key/../a", "key\\a"),
    *("caf\u00e9", "cafe\u0301", "CAF\u00c9", "cafe"),
    *("stra\u00dfe", "strasse", "STRASSE"),
    *("\u0131", "i", "I", "\u0130"),
    *("\u00a0", " ", "\u3000", "\u200b", "\ufeff", "\ufeffkey"),
    *("\x00", "key\x00", "key\x00a", "\x00key", "key\x01"),
    *("\U0001f600", "\U0001f601", "\U0001f44d", "\U0001f44d\U0001f3fd", "\ufffd", "?"),
    *("*", "k*y", "k?y", "[k]ey", "%", "k%y", "k_y", "%6bey", "key%20", "'", '"', "--", ";", "`"),
    *("0", "00", "0.0", "-0", "1", "01", "1e0", "null", "undefined", "true", "NaN", "{}", "[]"),
    *("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "$", "#", "&", "=?"),
    *("chat-sdk:lock:key", "chat-sdk:cache:key", "lock:key", "subscriptions"),
]

LONGEST = [
    pytest.param("k" * 1_024, id="1024 letters"),
    pytest.param("\u20ac" * 341 + "k", id="1024 bytes of euro signs"),
    pytest.param("\U0001f600" * 256, id="1024 bytes of emoji"),
]
TOO_LONG = [
    pytest.param("k" * 1_025, id="1025 letters"),
    pytest.param("\u20ac" * 341 + "kk", id="1025 bytes of euro signs"),
    pytest.param("\U0001f600" * 256 + "k", id="1025 bytes of emoji"),
]
EVERYWHERE = pytest.mark.parametrize("space", SPACES, ids=[space.name for space in SPACES])


@EVERYWHERE
async def test_names_that_are_alike_are_not_the_same(subject: Subject, space: type[Space]) -> None:
    names = space()
    numbers = {key: number for number, key in enumerate(ALIKE)}
    await asyncio.gather(*(names.put(subject, key, number) for key, number in numbers.items()))

    found = await asyncio.gather(*(names.find(subject, key) for key in ALIKE))

    assert dict(zip(ALIKE, found, strict=True)) == numbers


@EVERYWHERE
async def test_half_of_a_character_is_a_name_of_its_own(
    subject: Subject, space: type[Space]
) -> None:
    names = space()
    halves = ["cut \ud83d", "cut \ude00", "cut \ud83e", "cut \ufffd", "cut "]
    for number, key in enumerate(halves):
        await names.put(subject, key, number)

    assert [await names.find(subject, key) for key in halves] == list(range(len(halves)))


@EVERYWHERE
@pytest.mark.parametrize("key", LONGEST)
async def test_a_long_name_counts_to_its_last_byte(
    subject: Subject, space: type[Space], key: str
) -> None:
    names = space()
    other = f"{key[:-1]}x"
    await names.put(subject, key, 1)
    await names.put(subject, other, 2)

    assert await names.find(subject, key) == 1
    assert await names.find(subject, other) == 2


@pytest.mark.needs(Feature.LIMITS)
@EVERYWHERE
@pytest.mark.parametrize("key", TOO_LONG)
async def test_a_name_that_is_too_long_is_refused(
    subject: Subject, space: type[Space], key: str
) -> None:
    with pytest.raises(CallFailedError, match=r"1,?024"):
        await space().put(subject, key, 1)


@pytest.mark.needs(Feature.LIMITS)
@EVERYWHERE
async def test_a_name_needs_a_letter(subject: Subject, space: type[Space]) -> None:
    with pytest.raises(CallFailedError):
        await space().put(subject, "", 1)


@pytest.mark.needs(Feature.LIMITS)
async def test_a_refused_name_harms_no_other_call(subject: Subject) -> None:
    outcomes = await asyncio.gather(
        subject.set("before", 1),
        subject.set("k" * 1_025, 2),
        subject.set("after", 3),
        return_exceptions=True,
    )

    assert [isinstance(outcome, CallFailedError) for outcome in outcomes] == [False, True, False]
    assert [await subject.get(key) for key in ("before", "after")] == [1, 3]


async def test_a_lock_of_one_name_is_none_of_a_pattern(subject: Subject) -> None:
    lock = await subject.acquire_lock("slack:C1:1.2", LONG_MS)
    await subject.force_release_lock("slack:*")
    await subject.force_release_lock("*")
    await subject.force_release_lock("slack:%")

    assert await subject.extend_lock(lock, LONG_MS) is True
