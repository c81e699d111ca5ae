"""get, set, setIfNotExists, delete: values by key, for ever or for a while."""

import math
from contextlib import suppress
from typing import Any

import pytest

from tests.chat_conformance.expiry import LONG_MS, PATIENCES_MS, SHORT_MS, becomes, outlive
from tests.chat_conformance.subjects.subject import UNDEFINED, CallFailedError, Feature, Subject

KEY = "thread-state:slack:C1:1.2"

NO_TTL = [
    pytest.param(UNDEFINED, id="left out"),
    pytest.param(None, id="null"),
    pytest.param(0, id="0"),
]
NO_NUMBER = [
    pytest.param(math.nan, id="NaN"),
    pytest.param(math.inf, id="Infinity"),
]


async def test_a_missing_key_is_null(subject: Subject) -> None:
    assert await subject.get(KEY) is None


async def test_what_was_set_is_got(subject: Subject) -> None:
    await subject.set(KEY, {"step": 3})

    assert await subject.get(KEY) == {"step": 3}
    assert await subject.get("thread-state:slack:C1:1.3") is None


async def test_the_last_value_wins(subject: Subject) -> None:
    await subject.set(KEY, "first")
    await subject.set(KEY, "second")

    assert await subject.get(KEY) == "second"


async def test_a_value_expires(subject: Subject) -> None:
    await subject.set(KEY, "value", SHORT_MS)
    await outlive(subject, SHORT_MS)

    assert await subject.get(KEY) is None


async def test_a_value_with_a_long_ttl_stays(subject: Subject) -> None:
    await subject.set(KEY, "value", LONG_MS)
    await outlive(subject, SHORT_MS)

    assert await subject.get(KEY) == "value"


async def test_a_set_without_ttl_takes_the_old_one_away(subject: Subject) -> None:
    await subject.set(KEY, "first", SHORT_MS)
    await subject.set(KEY, "second")
    await outlive(subject, SHORT_MS)

    assert await subject.get(KEY) == "second"


async def test_a_set_brings_its_own_ttl(subject: Subject) -> None:
    await subject.set(KEY, "first", LONG_MS)
    await subject.set(KEY, "second", SHORT_MS)
    await outlive(subject, SHORT_MS)

    assert await subject.get(KEY) is None


@pytest.mark.parametrize("ttl_ms", NO_TTL)
async def test_no_ttl_is_for_ever(subject: Subject, ttl_ms: Any) -> None:
    await check_for_ever(subject, ttl_ms)


@pytest.mark.needs(Feature.NUMBERS)
@pytest.mark.parametrize("ttl_ms", NO_NUMBER)
async def test_a_ttl_that_is_no_number_is_for_ever(subject: Subject, ttl_ms: float) -> None:
    await check_for_ever(subject, ttl_ms)


@pytest.mark.parametrize("ttl_ms", [-5, -0.5])
async def test_a_ttl_below_0_is_never_for_ever(subject: Subject, ttl_ms: float) -> None:
    # refused, or expired at once
    with suppress(CallFailedError):
        await subject.set(KEY, "value", ttl_ms)
    assert await subject.get(KEY) is None
    with suppress(CallFailedError):
        await subject.set_if_not_exists(KEY, "value", ttl_ms)
    assert await subject.get(KEY) is None


async def test_a_ttl_may_have_a_fraction(subject: Subject) -> None:
    await subject.set(KEY, "value", LONG_MS + 0.5)
    assert await subject.get(KEY) == "value"
    assert await subject.set_if_not_exists("other", "value", LONG_MS + 0.5) is True
    assert await subject.get("other") == "value"


async def test_a_fraction_of_a_millisecond_expires(subject: Subject) -> None:
    await subject.set(KEY, "value", 0.4)

    await becomes(lambda: subject.get(KEY), None)


async def test_a_null_reads_as_null_and_is_there(subject: Subject) -> None:
    await subject.set(KEY, None)

    assert await subject.get(KEY) is None
    assert await subject.set_if_not_exists(KEY, "value") is False


async def test_a_deleted_key_is_gone(subject: Subject) -> None:
    await subject.set(KEY, "value")
    await subject.set("other", "value")
    await subject.delete(KEY)

    assert await subject.get(KEY) is None
    assert await subject.get("other") == "value"


async def test_a_missing_key_can_be_deleted(subject: Subject) -> None:
    await subject.delete(KEY)
    await subject.delete(KEY)

    assert await subject.get(KEY) is None


async def test_a_deleted_key_is_set_without_its_old_ttl(subject: Subject) -> None:
    await subject.set(KEY, "first", SHORT_MS)
    await subject.delete(KEY)
    assert await subject.set_if_not_exists(KEY, "second") is True
    await outlive(subject, SHORT_MS)

    assert await subject.get(KEY) == "second"


async def test_what_is_missing_is_set_once(subject: Subject) -> None:
    assert await subject.set_if_not_exists(KEY, "first") is True
    assert await subject.set_if_not_exists(KEY, "second") is False

    assert await subject.get(KEY) == "first"


async def test_what_was_set_is_not_set_again(subject: Subject) -> None:
    await subject.set(KEY, "first", LONG_MS)

    assert await subject.set_if_not_exists(KEY, "second", LONG_MS) is False
    assert await subject.get(KEY) == "first"


async def test_what_was_set_if_missing_expires(subject: Subject) -> None:
    assert await subject.set_if_not_exists(KEY, "value", SHORT_MS) is True
    await outlive(subject, SHORT_MS)

    assert await subject.get(KEY) is None


@pytest.mark.parametrize("ttl_ms", NO_TTL)
async def test_what_was_set_if_missing_without_ttl_is_for_ever(
    subject: Subject, ttl_ms: Any
) -> None:
    assert await subject.set_if_not_exists(KEY, "value", ttl_ms) is True
    await outlive(subject, SHORT_MS)

    assert await subject.get(KEY) == "value"


async def test_an_expired_key_is_missing_before_anybody_looked(subject: Subject) -> None:
    await subject.set(KEY, "first", SHORT_MS)
    await outlive(subject, SHORT_MS)

    assert await subject.set_if_not_exists(KEY, "second") is True
    assert await subject.get(KEY) == "second"


async def test_an_expired_key_leaves_its_successor_no_ttl(subject: Subject) -> None:
    await subject.set(KEY, "first", SHORT_MS)
    await outlive(subject, SHORT_MS)
    await subject.set_if_not_exists(KEY, "second", LONG_MS)
    await outlive(subject, SHORT_MS)

    assert await subject.set_if_not_exists(KEY, "third") is False
    assert await subject.get(KEY) == "second"


async def test_a_refused_set_gives_no_ttl(subject: Subject) -> None:
    await subject.set(KEY, "first")
    assert await subject.set_if_not_exists(KEY, "second", SHORT_MS) is False
    await outlive(subject, SHORT_MS)

    assert await subject.get(KEY) == "first"


@pytest.mark.parametrize("second_ttl_ms", [UNDEFINED, LONG_MS], ids=["none", "long"])
async def test_a_refused_set_takes_no_ttl_away(subject: Subject, second_ttl_ms: Any) -> None:
    for ttl_ms in PATIENCES_MS:
        await subject.set(KEY, "first", ttl_ms)
        if not await subject.set_if_not_exists(KEY, "second", second_ttl_ms):
            break
    await outlive(subject, ttl_ms)

    assert await subject.get(KEY) is None


async def check_for_ever(subject: Subject, ttl_ms: Any) -> None:
    """Check that a value with this ttl, in place of one that would expire, stays."""
    await subject.set(KEY, "first", SHORT_MS)
    await subject.set(KEY, "value", ttl_ms)
    await outlive(subject, SHORT_MS)

    assert await subject.get(KEY) == "value"
