"""A COMMIT that fails: nobody is told wrong, and no event is stored twice."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livesync.protocol.errors import CommitUnknownError, ServerAheadError, StorageUnavailableError
from livesync.storage.engine import Append
from livesync.storage.files.store_file import StoreFile
from livesync.storage.routed import RoutedEngine
from tests.factories import make_events
from tests.storage import STORE, numbers, push


class FailingDriver:
    """A driver whose next COMMIT fails, before it took effect or after."""

    def __init__(self, driver: sqlite3.Connection, errorname: str, *, is_stored: bool) -> None:
        self._driver = driver
        self._errorname = errorname
        self._is_stored = is_stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def execute(self, statement: str, *parameters: Any) -> Any:
        if statement != "COMMIT" or not self._driver.total_changes:
            return self._driver.execute(statement, *parameters)
        if self._is_stored:
            self._driver.execute("COMMIT")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = self._errorname
        raise error


@pytest.fixture
def fail_once(engine: RoutedEngine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def fail_once(errorname: str, *, is_stored: bool) -> None:
        pending = [1]

        class Failing(StoreFile):
            def __init__(self, path: Path, store_id: str) -> None:
                super().__init__(path, store_id)
                if pending and store_id == STORE:
                    pending.pop()
                    self.driver: Any = FailingDriver(self.driver, errorname, is_stored=is_stored)

        engine.files.open_files.close_all()
        monkeypatch.setattr("livesync.storage.files.open_files.StoreFile", Failing)

    return fail_once


@pytest.mark.parametrize("errorname", ["SQLITE_FULL", "SQLITE_IOERR_FSYNC"])
def test_a_commit_that_failed_and_stored_nothing_is_done_again(
    engine: RoutedEngine, fail_once: Callable[..., None], errorname: str
) -> None:
    push(engine, make_events(1))
    fail_once(errorname, is_stored=False)

    assert push(engine, make_events(2, after=1)).head == 3
    assert numbers(engine) == [1, 2, 3]


def test_a_commit_that_failed_and_was_found_is_not_done_again(
    engine: RoutedEngine, fail_once: Callable[..., None]
) -> None:
    push(engine, make_events(1))
    fail_once("SQLITE_FULL", is_stored=True)

    assert push(engine, make_events(2, after=1)).head == 3
    assert numbers(engine) == [1, 2, 3]


def test_a_commit_that_may_come_up_later_is_told_as_unknown(
    engine: RoutedEngine, fail_once: Callable[..., None]
) -> None:
    push(engine, make_events(1))
    push(engine, make_events(1), to="neighbour")
    fail_once("SQLITE_IOERR_FSYNC", is_stored=True)

    outcome, neighbour = engine.commit(
        [
            Append(STORE, None, make_events(2, after=1)),
            Append("neighbour", None, make_events(1, after=5)),
        ]
    )

    assert isinstance(outcome, CommitUnknownError)
    assert isinstance(neighbour, ServerAheadError)


def test_a_full_disk_refuses_pushes_and_lets_reads_go_on_until_there_is_room(
    engine: RoutedEngine,
) -> None:
    push(engine, make_events(1))
    large = make_events(50, after=1, args='"' + "x" * 10_000 + '"')

    class Full(StoreFile):
        def __init__(self, path: Path, store_id: str) -> None:
            super().__init__(path, store_id)
            self.driver.execute("PRAGMA max_page_count = 1")  # which means: as large as it is

    engine.files.open_files.close_all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("livesync.storage.files.open_files.StoreFile", Full)
        with pytest.raises(StorageUnavailableError):
            push(engine, large)
        assert numbers(engine) == [1]
    engine.files.open_files.close_all()

    assert push(engine, large).head == 51
