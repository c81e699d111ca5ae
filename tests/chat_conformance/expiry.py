"""How the tests wait for what expires: by asking, never by the length of a sleep."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.chat_conformance.subjects.subject import Subject

SHORT_MS = 40
"""For what has to expire within a test."""

LONG_MS = 3_600_000
"""For what must not."""

PATIENCES_MS = (100, 400, 1_600, 6_400)
"""For what has to live through the next call and expire soon after.

A test that finds it gone already has learnt nothing but that the machine is busy, and tries again
with the next one.
"""

POLL_S = 0.004
DEADLINE_S = 30.0
"""Only what never comes true uses it up."""

_numbers = itertools.count(1)


async def becomes(ask: Callable[[], Awaitable[Any]], expected: Any) -> None:
    """Return as soon as an answer is ``expected``; the last other answer fails the test."""
    give_up_at = time.monotonic() + DEADLINE_S
    while (answer := await ask()) != expected:
        assert time.monotonic() < give_up_at, f"it is still {answer!r}, not {expected!r}"
        await asyncio.sleep(POLL_S)


async def outlive(subject: Subject, ttl_ms: float) -> None:
    """Return when everything that was stored before with this ttl, or a shorter one, has expired.

    Stores a cache entry with the same ttl: what was stored before it expires no later.
    """
    witness = f"outlived {next(_numbers)}"
    await subject.set(witness, True, ttl_ms)
    await becomes(lambda: subject.get(witness), None)
