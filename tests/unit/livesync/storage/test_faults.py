"""A fault goes to the log once in a while, and to clients without its words."""

import logging

import pytest

from livesync.protocol import rpc
from livesync.storage.faults import FaultLog, unavailable


def test_a_fault_is_logged_at_once_and_then_every_ten_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = FaultLog()

    for now in (50.0, 50.1, 59.9, 60.0, 69.0):
        log.add(OSError(f"away at {now}"), now=now)

    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    first, second = (record.getMessage() for record in caplog.records)
    assert "away at 50.0" in first
    assert "(2 more before)" in second
    assert "away at 60.0" in second


def test_a_client_is_not_told_the_words_of_the_database() -> None:
    error = unavailable(OSError('FATAL: role "secret_user" does not exist'))

    assert "secret_user" not in rpc.exit_fail("1", error)
