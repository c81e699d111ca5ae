"""The write-ahead log has its full size before the first commit."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import DjangoDbBlocker

from groundwork.sqlite_log import LOG_BYTES, grow_log
from syncsite.databases import databases

ALIAS = "livesync"
Connect = Callable[[], BaseDatabaseWrapper]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / f"{ALIAS}.sqlite3"
    path.touch()
    return path


@pytest.fixture
def connect(file: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Connect]:
    """Connections as the site's own, but for a busy timeout that is over at once."""
    known = connections.configure_settings(databases("", file.parent))
    known[ALIAS]["OPTIONS"]["timeout"] = 0
    handler = type(connections)(known)
    with django_db_blocker.unblock(), ExitStack() as opened:

        def connect() -> BaseDatabaseWrapper:
            connection = opened.enter_context(closing(handler.create_connection(ALIAS)))
            connection.connect()
            return connection

        yield connect


def log_size(file: Path) -> int:
    return file.with_name(f"{file.name}-wal").stat().st_size


def write(connection: BaseDatabaseWrapper, number: int) -> None:
    driver: sqlite3.Connection = connection.connection
    driver.execute("CREATE TABLE IF NOT EXISTS number (number INTEGER)")
    driver.execute("INSERT INTO number VALUES (?)", (number,))


def read(connection: BaseDatabaseWrapper, column: str, table: str) -> list[object]:
    return [row[0] for row in connection.connection.execute(f"SELECT {column} FROM {table}")]


def test_commits_do_not_lengthen_the_log(connect: Connect, file: Path) -> None:
    connection = connect()

    grow_log(connection)
    size = log_size(file)
    for number in range(100):
        write(connection, number)

    assert size >= LOG_BYTES
    assert log_size(file) == size


def test_nothing_of_it_is_stored(connect: Connect, file: Path) -> None:
    connection = connect()
    write(connection, 1)
    cache_size = connection.connection.execute("PRAGMA cache_size").fetchone()

    grow_log(connection)
    write(connection, 2)
    grow_log(connect())

    assert read(connect(), "number", "number") == [1, 2]
    assert read(connect(), "name", "sqlite_master") == ["number"]
    assert connection.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.connection.execute("PRAGMA cache_size").fetchone() == cache_size
    assert file.stat().st_size < LOG_BYTES


def test_a_log_that_has_its_size_is_left_alone(connect: Connect, file: Path) -> None:
    grow_log(connect())
    size = log_size(file)

    grow_log(connect())

    assert log_size(file) == size


def test_a_database_that_is_locked_is_left_to_the_first_commit(
    connect: Connect, file: Path
) -> None:
    holder, connection = connect(), connect()
    holder.connection.execute("BEGIN IMMEDIATE")

    grow_log(connection)

    assert log_size(file) < LOG_BYTES
    assert not connection.connection.in_transaction
