"""The one clock of an SQLite database."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from chatstate.storage import clock
from chatstate.storage.clock import Instant, Machine

TABLE = """
    CREATE TABLE chatstate_clock (id integer PRIMARY KEY, boot_id text, wall_base_ms integer,
                                  boot_base_ms integer, last_ms integer, fence integer)
"""


@dataclass
class FakeMachine:
    """A machine whose time a test sets."""

    boot: str = "first"
    elapsed: int = 1_000
    wall: int = 1_700_000_000_000

    def pass_ms(self, ms: int) -> None:
        self.elapsed += ms
        self.wall += ms

    @property
    def machine(self) -> Machine:
        return Machine(lambda: self.boot, lambda: self.elapsed, lambda: self.wall)


@pytest.fixture
def driver() -> Iterator[sqlite3.Connection]:
    driver = sqlite3.connect(":memory:", isolation_level=None)
    driver.execute(TABLE)
    yield driver
    driver.close()


def write(driver: sqlite3.Connection, fake: FakeMachine, *, fences: int = 0) -> Instant:
    instant = clock.read(driver, fake.machine, is_writing=True)
    clock.advance(driver, instant, fence=instant.fence + fences)
    return instant


def test_it_starts_with_the_wall_clock_and_counts_on(driver: sqlite3.Connection) -> None:
    fake = FakeMachine()
    start = write(driver, fake)

    fake.pass_ms(250)

    assert start.now_ms == 1_700_000_000_000
    assert write(driver, fake).now_ms == start.now_ms + 250


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000])
def test_it_follows_no_jump_of_the_wall_clock(driver: sqlite3.Connection, jump_ms: int) -> None:
    fake = FakeMachine()
    start = write(driver, fake)

    fake.pass_ms(10)
    fake.wall += jump_ms

    assert write(driver, fake).now_ms == start.now_ms + 10


def test_processes_whose_wall_clocks_differ_agree(driver: sqlite3.Connection) -> None:
    one, other = FakeMachine(), FakeMachine(wall=1_700_000_030_000)

    start = write(driver, one)

    assert write(driver, other).now_ms == start.now_ms


def test_after_a_boot_it_goes_on_by_the_wall_clock(driver: sqlite3.Connection) -> None:
    fake = FakeMachine()
    start = write(driver, fake)

    fake.boot, fake.elapsed, fake.wall = "second", 5, fake.wall + 60_000
    booted = write(driver, fake)
    fake.pass_ms(7)

    assert booted.now_ms == start.now_ms + 60_000
    assert write(driver, fake).now_ms == booted.now_ms + 7


def test_after_a_boot_with_a_wrong_wall_clock_it_does_not_go_back(
    driver: sqlite3.Connection,
) -> None:
    fake = FakeMachine()
    last = write(driver, fake)

    fake.boot, fake.elapsed, fake.wall = "second", 5, 0

    assert write(driver, fake).now_ms > last.now_ms


def test_a_reader_changes_nothing(driver: sqlite3.Connection) -> None:
    fake = FakeMachine()

    instant = clock.read(driver, fake.machine, is_writing=False)

    assert (instant.now_ms, instant.fence) == (fake.wall, 0)
    assert driver.execute("SELECT count(*) FROM chatstate_clock").fetchone() == (0,)


def test_not_every_commit_notes_the_instant(driver: sqlite3.Connection) -> None:
    fake = FakeMachine()
    write(driver, fake)
    before = driver.total_changes

    fake.pass_ms(10)
    write(driver, fake)
    unnoted = driver.total_changes
    fake.pass_ms(2_000)
    write(driver, fake)

    assert unnoted == before
    assert driver.total_changes > unnoted


def test_the_fence_is_kept_over_boots(driver: sqlite3.Connection) -> None:
    fake = FakeMachine()
    write(driver, fake, fences=3)

    fake.boot = "second"

    assert write(driver, fake).fence == 3


def test_the_machine_s_clocks_are_told_in_milliseconds() -> None:
    boot_clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    earliest = time.time(), time.clock_gettime(boot_clock)

    told = clock.wall_ms(), clock.elapsed_ms()

    latest = time.time(), time.clock_gettime(boot_clock)
    for before_s, ms, after_s in zip(earliest, told, latest, strict=True):
        assert int(before_s * 1_000) <= ms <= after_s * 1_000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is a boot of its own")
def test_processes_of_one_boot_agree_on_its_name() -> None:
    code = "from chatstate.storage import clock; print(clock.boot_id())"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert other.stdout.strip() == clock.boot_id() != ""
