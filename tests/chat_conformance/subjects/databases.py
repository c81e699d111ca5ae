"""A database of chatstate for services that run in the process of the tests."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from chatstate.services.execute import get_database, get_writer
from chatstate.services.threads import get_readers
from syncsite.databases import databases

ALIAS = "chatstate"

_numbers = itertools.count(1)


@asynccontextmanager
async def services_on(engine: str, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Let the services of this process stand on an empty database.

    Args:
        engine: ``sqlite`` or ``postgresql``.
        request: knows where a server and a directory are to be had.
    """
    config = _configured(engine, request)
    with request.getfixturevalue("django_db_blocker").unblock(), _alias_on(config):
        await asyncio.to_thread(_migrate)
        _forget_services()
        try:
            yield
        finally:
            await asyncio.to_thread(_stop_services)
            _forget_services()


def _configured(engine: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    url = ""
    if engine == "postgresql":
        name = f"chat conformance {next(_numbers)}"
        url = request.getfixturevalue("postgres_server").create_database(name)
    directory = request.getfixturevalue("tmp_path_factory").mktemp("chat-conformance")
    # the site makes its files elsewhere and opens none that is missing
    (directory / f"{ALIAS}.sqlite3").touch()
    config: dict[str, Any] = connections.configure_settings(databases(url, directory))[ALIAS]
    return config


@contextmanager
def _alias_on(config: dict[str, Any]) -> Iterator[None]:
    """Point the alias to another database, for threads that start now."""
    known = connections.settings
    former, known[ALIAS] = known[ALIAS], config
    try:
        yield
    finally:
        known[ALIAS] = former


def _migrate() -> None:
    try:
        executor = MigrationExecutor(connections[ALIAS])
        executor.migrate(executor.loader.graph.leaf_nodes(ALIAS))
    finally:
        connections.close_all()
        del connections[ALIAS]  # this thread may come back when the alias is another database


def _stop_services() -> None:
    get_writer(ALIAS).stop()
    get_readers().stop()


def _forget_services() -> None:
    for cached in (get_writer, get_database, get_readers):
        cached.cache_clear()
