"""An SQLite file that is removed or replaced under a running server is not written to any more."""

import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from livesync.protocol.errors import StorageUnavailableError
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Append
from syncsite.databases import sqlite_file
from tests.factories import make_events
from tests.integration.conftest import Databases, alias_on
from tests.storage import STORE, find, numbers, own_connection, push, run_in_threads

pytestmark = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


@pytest.fixture
def file(
    engine: DatabaseEngine, vendor: str, livesync_databases: Databases, tmp_path: Path
) -> Iterator[Path]:
    """A database file of the test's own; the engine has stored one event there."""
    config = livesync_databases.config(vendor)
    original = sqlite_file(config["NAME"])
    assert original is not None
    copy = tmp_path / original.name
    with own_connection() as other, other.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(copy)])
    with alias_on(config | {"NAME": config["NAME"].replace(original.as_uri(), copy.as_uri())}):
        push(engine, make_events(1))
        assert numbers(engine) == [1]
        yield copy


def remove(path: Path) -> None:
    for name in (path, f"{path}-wal", f"{path}-shm"):
        os.unlink(name)


def remove_log(path: Path) -> None:
    os.unlink(f"{path}-wal")


def replace(path: Path) -> None:
    other = path.with_name("backup")
    shutil.copy(path, other)
    remove(path)
    other.rename(path)


CALLS: dict[str, Callable[[DatabaseEngine], Any]] = {
    "commit": lambda engine: engine.commit([Append(STORE, None, make_events(1, after=1))]),
    "read": numbers,
    "states": lambda engine: engine.states([STORE]),
    "inspect": lambda engine: engine.inspect(STORE),
    "reset": lambda engine: engine.reset(STORE),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("lose", [remove, remove_log, replace])
def test_what_would_be_lost_is_not_acknowledged(
    engine: DatabaseEngine, file: Path, lose: Callable[[Path], None], call: Any
) -> None:
    lose(file)

    with pytest.raises(StorageUnavailableError):
        call(engine)


def test_a_missing_file_is_missed_until_it_is_back(engine: DatabaseEngine, file: Path) -> None:
    find("PRAGMA wal_checkpoint(TRUNCATE)")
    backup = file.with_name("backup")
    shutil.copy(file, backup)
    remove(file)

    for _ in range(3):
        with pytest.raises(StorageUnavailableError):
            engine.commit([Append(STORE, None, make_events(1, after=1))])
        assert not file.exists()
    backup.rename(file)

    assert push(engine, make_events(1, after=1)).head == 2
    assert numbers(engine) == [1, 2]


def test_the_loss_is_logged_once(
    engine: DatabaseEngine, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    all_have_read = threading.Barrier(3, action=lambda: remove(file))

    def read_before_and_after(_: int) -> None:
        numbers(engine)
        all_have_read.wait()
        with pytest.raises(StorageUnavailableError):
            numbers(engine)

    run_in_threads(3, read_before_and_after)

    critical = [r.getMessage() for r in caplog.records if r.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert str(file) in critical[0]
