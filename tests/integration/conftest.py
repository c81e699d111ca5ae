"""Each database engine as a fixture, so that a test of storage is written once and runs on all."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker, Settings

from chatstate.services import execute
from chatstate.services.threads import get_readers as get_chat_readers
from chatstate.storage.database import ShardDatabase
from groundwork.frames import get_registry
from livesync.auth.threads import get_threads as get_auth_threads
from livesync.services.announcer import get_announcer
from livesync.services.append import get_writer
from livesync.services.hub import all_hubs
from livesync.services.purge import get_purger
from livesync.storage import get_engine, get_readers
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Engine
from livesync.storage.routed import RoutedEngine
from syncsite.databases import databases

ALIAS = "livesync"
CHAT_ALIAS = "chatstate"


class Databases:
    """A migrated database for each vendor, configured as the site configures it."""

    def __init__(self, alias: str, directory: Path, request: pytest.FixtureRequest) -> None:
        self._alias = alias
        self._directory = directory
        self._request = request
        self._configs: dict[str, dict[str, Any]] = {}

    def config(self, vendor: str) -> dict[str, Any]:
        """The settings of the vendor's database, which is made at the first call."""
        if vendor not in self._configs:
            self._configs[vendor] = self._make(vendor)
        return self._configs[vendor]

    def _make(self, vendor: str) -> dict[str, Any]:
        url = ""
        if vendor == "postgresql":
            server = self._request.getfixturevalue("postgres_server")
            url = server.create_database(f"storage tests {uuid.uuid4().hex}")
        alias = self._alias
        config: dict[str, Any] = connections.configure_settings(databases(url, self._directory))[
            alias
        ]
        # the site makes its files elsewhere and opens none that is missing
        (self._directory / f"{alias}.sqlite3").touch()
        with alias_on(config, alias):
            executor = MigrationExecutor(connections[alias])
            executor.migrate(executor.loader.graph.leaf_nodes(alias))
        return config


@contextmanager
def alias_on(config: dict[str, Any], alias: str = ALIAS) -> Iterator[None]:
    """Point an alias to another database; threads that start now find it there."""
    known = connections.settings
    former_config, former_connection = known[alias], connections[alias]
    known[alias] = config
    connections[alias] = connections.create_connection(alias)
    try:
        yield
    finally:
        connections[alias].close()
        connections[alias] = former_connection
        known[alias] = former_config


@pytest.fixture(scope="session")
def livesync_databases(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Databases]:
    with django_db_blocker.unblock():
        yield Databases(ALIAS, tmp_path_factory.mktemp("databases"), request)


@pytest.fixture(scope="session")
def chatstate_databases(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Databases]:
    with django_db_blocker.unblock():
        yield Databases(CHAT_ALIAS, tmp_path_factory.mktemp("chat-databases"), request)


@pytest.fixture(params=["sqlite", "postgresql"])
def vendor(request: pytest.FixtureRequest) -> str:
    """The database a test runs on: each in turn."""
    return str(request.param)


@pytest.fixture
def engine(
    vendor: str,
    livesync_databases: Databases,
    django_db_blocker: DjangoDbBlocker,
    settings: Settings,
    tmp_path: Path,
) -> Iterator[Engine]:
    """An engine on an empty database; the services of this process stand on the same one."""
    in_files = {"engine": "files", "files_directory": str(tmp_path / "stores")}
    settings.LIVESYNC = {**settings.LIVESYNC, **(in_files if vendor == "files" else {})}
    with (
        django_db_blocker.unblock(),
        alias_on(livesync_databases.config("sqlite" if vendor == "files" else vendor)),
    ):
        forget_services()
        yield get_engine() if vendor == "files" else DatabaseEngine()
        stop_services()
        empty_tables()


@pytest.fixture
async def services(engine: DatabaseEngine, settings: Settings) -> Any:
    """The services on the engine, in the loop of the test, all of them stopped at its end."""
    # a tick that comes to help would hide that something was not told at once
    settings.LIVESYNC = {**settings.LIVESYNC, "reconcile_interval_s": 3_600.0}
    yield
    for hub in all_hubs():
        await hub.stop()
    await get_registry().stop()


def stop_services() -> None:
    """End the threads of this process, and with them their connections."""
    get_writer().stop()
    get_readers().stop()
    get_purger().stop()
    get_announcer().stop()
    engine = get_engine()
    if isinstance(engine, RoutedEngine):
        engine.stop()
    get_auth_threads().stop()
    forget_services()


def forget_services() -> None:
    """Let the next caller make them anew."""
    for cached in (get_engine, get_writer, get_readers, get_purger):
        cached.cache_clear()


def empty_tables() -> None:
    """Delete everything, unless somebody still holds it: then the test has left something open."""
    _empty(ALIAS, [model._meta.db_table for model in apps.get_app_config("livesync").get_models()])


@pytest.fixture
def chat_database(
    vendor: str, chatstate_databases: Databases, django_db_blocker: DjangoDbBlocker
) -> Iterator[ShardDatabase]:
    """An empty database of the default shard; chatstate's services stand on the same one."""
    config = chatstate_databases.config(vendor)
    with django_db_blocker.unblock(), alias_on(config, CHAT_ALIAS):
        stop_chat_services()
        yield ShardDatabase(CHAT_ALIAS)
        stop_chat_services()
        empty_chat_tables()


def stop_chat_services() -> None:
    """End chatstate's threads in this process; the next caller makes them anew."""
    execute.stop()
    get_chat_readers().stop()


def empty_chat_tables() -> None:
    """Delete everything, unless somebody still holds it: then the test has left something open."""
    models = apps.get_app_config("chatstate").get_models()
    _empty(CHAT_ALIAS, [model._meta.db_table for model in models])


def _empty(alias: str, tables: Iterable[str]) -> None:
    connection = connections[alias]
    connection.close()  # whatever state the test has left it in
    with transaction.atomic(alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL lock_timeout = '5s'")
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
