"""The one clock of an SQLite database; PostgreSQL has its own.

Expiry must not depend on the clock of whoever asks, and the wall clock of a machine jumps. So the
database keeps a base, made once for each boot of the machine: now = the wall clock at the base +
what the machine has counted since. All processes of the machine read the same base, and none
follows a jump. After a boot a new base is made, not before the last instant that was used.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

SELECT = "SELECT boot_id, wall_base_ms, boot_base_ms, last_ms, fence FROM chatstate_clock"
INSERT = """
    INSERT INTO chatstate_clock (id, boot_id, wall_base_ms, boot_base_ms, last_ms, fence)
    VALUES (1, ?, ?, ?, ?, 0)
"""
REBASE = "UPDATE chatstate_clock SET boot_id = ?, wall_base_ms = ?, boot_base_ms = ?"
ADVANCE = "UPDATE chatstate_clock SET last_ms = ?, fence = ?"

_NOTE_AHEAD_MS = 1_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# counts on while the machine sleeps; where there is none, sleep stops our time as well
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@cache
def boot_id() -> str:
    """Identifies the running boot of this machine; of this process where there is no such thing."""
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text().strip()
    return f"process-{time.time_ns()}"


def elapsed_ms() -> int:
    """Milliseconds since the boot."""
    return time.clock_gettime_ns(_BOOT_CLOCK) // 1_000_000


def wall_ms() -> int:
    """What the wall clock shows, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine tells of time."""

    boot_id: Callable[[], str] = boot_id
    elapsed_ms: Callable[[], int] = elapsed_ms
    wall_ms: Callable[[], int] = wall_ms


class Instant(NamedTuple):
    """Where the database's clock and fence stand.

    ``noted_ms`` is later than every instant that was used, unless ``now_ms`` has reached it.
    """

    now_ms: int
    fence: int
    noted_ms: int


def read(driver: sqlite3.Connection, machine: Machine, *, is_writing: bool) -> Instant:
    """The present instant; when writing, a base that is missing or of another boot is made."""
    row = driver.execute(SELECT).fetchone()
    boot, elapsed = machine.boot_id(), machine.elapsed_ms()
    if row is not None and row[0] == boot:
        _, wall_base, boot_base, last, fence = row
        return Instant(wall_base + elapsed - boot_base, fence, last)
    last, fence = row[3:] if row is not None else (0, 0)
    now = max(machine.wall_ms(), last)
    if is_writing:
        if row is None:
            driver.execute(INSERT, (boot, now, elapsed, now))
        else:
            driver.execute(REBASE, (boot, now, elapsed))
    return Instant(now, fence, now if row is None else last)


def advance(driver: sqlite3.Connection, instant: Instant, *, fence: int) -> None:
    """Keep what was used, for the next boot and the next holder; nothing where it is kept already.

    The instant is noted ahead of time, so that not every commit has a row more to write.
    """
    if fence != instant.fence or instant.now_ms >= instant.noted_ms:
        driver.execute(ADVANCE, (instant.now_ms + _NOTE_AHEAD_MS, fence))
