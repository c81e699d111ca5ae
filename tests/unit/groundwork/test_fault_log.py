"""A fault goes to the log once in a while."""

import logging

import pytest

from groundwork.fault_log import FaultLog


def test_a_fault_is_logged_at_once_and_then_every_ten_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = FaultLog(logging.getLogger("database"), "the database is away")

    for now in (50.0, 50.1, 59.9, 60.0, 69.0):
        log.add(OSError(f"away at {now}"), now=now)

    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    first, second = (record.getMessage() for record in caplog.records)
    assert "away at 50.0" in first
    assert "(2 more before)" in second
    assert "away at 60.0" in second
