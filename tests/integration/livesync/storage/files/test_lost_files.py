"""A file that is removed, or its log, is missed: nothing is made in its place."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livesync.protocol.errors import StorageUnavailableError
from livesync.storage.files.appending import append_rows
from livesync.storage.files.store_file import StoreFile
from livesync.storage.routed import RoutedEngine
from tests.factories import make_events
from tests.storage import STORE, numbers, push
from tests.store_files import file_of

CALLS: dict[str, Callable[[RoutedEngine], Any]] = {
    "commit": lambda engine: push(engine, make_events(1, after=1)),
    "read": numbers,
    "inspect": lambda engine: engine.inspect(STORE),
    "reset": lambda engine: engine.reset(STORE),
}


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        os.unlink(f"{path}{suffix}")


def remove_log(path: Path) -> None:
    os.unlink(f"{path}-wal")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_file_that_is_gone_is_missed_and_not_made_anew(
    engine: RoutedEngine, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    push(engine, make_events(1))
    push(engine, make_events(1), to="neighbour")
    remove(file_of(engine))

    for _ in range(2):
        with pytest.raises(StorageUnavailableError):
            call(engine)

    assert not file_of(engine).exists()
    assert numbers(engine, "neighbour") == [1]
    critical = [r.getMessage() for r in caplog.records if r.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert str(file_of(engine)) in critical[0]


def test_a_log_that_is_gone_is_not_written_to(engine: RoutedEngine) -> None:
    push(engine, make_events(1))

    def append_and_lose(file: StoreFile, *args: Any) -> None:
        append_rows(file, *args)
        remove_log(file.path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("livesync.storage.files.appending.append_rows", append_and_lose)
        with pytest.raises(StorageUnavailableError):
            push(engine, make_events(1, after=1))

    assert push(engine, make_events(1, after=1)).head == 2


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_log_that_went_while_nobody_looked_is_missed(
    engine: RoutedEngine, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    push(engine, make_events(1))
    remove_log(file_of(engine))

    with pytest.raises(StorageUnavailableError):
        call(engine)

    critical = [r.getMessage() for r in caplog.records if r.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert "or its log was removed" in critical[0]


def test_states_of_other_stores_are_told_beside_a_broken_file(engine: RoutedEngine) -> None:
    push(engine, make_events(1))
    push(engine, make_events(1), to="neighbour")
    remove(file_of(engine))

    assert list(engine.states([STORE, "neighbour", "missing"])) == ["neighbour"]
