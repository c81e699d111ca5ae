"""The site as its users run it: ``manage.py serve`` in processes of its own."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.guardian import Guardian
from tests.processes import LOOPBACK, ServerFailedError, ServerProcess
from tests.servers import PostgresServer

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"

SITE_VARIABLES = frozenset(
    {
        *("ARGS", "MAKEFLAGS", "MAKEOVERRIDES"),  # what ``make test`` was told
        "DATABASE_URL",
        "DJANGO_SETTINGS_MODULE",
        "HOST",
        "PORT",
        "REDIS_URL",
        "SYNCSITE_DATA",
        "SYNCSITE_EXPOSE",
        "WORKERS",
    }
)
"""Never inherited from the tests' own environment."""


class SiteProcess(ServerProcess):
    """One served site. Its port, data directory and environment are the same in every life.

    ``stop`` and ``terminate`` send SIGTERM; ``kill`` sends SIGKILL to the server and its workers.

    Args:
        data_directory: ``SYNCSITE_DATA``, so far empty where the very first start matters. Without
            it a directory that ends with this object, with migrated databases from the start:
            that saves a second.
        database_url: a PostgreSQL URL; without it the site is on its embedded SQLite.
        redis_url: the Redis between processes; needed with more than one worker.
        workers: ``WORKERS``.
        environment: more variables; they win over all others.
        command: what to run instead of ``manage.py serve``; ``{host}`` and ``{port}`` in its parts
            are filled in.
    """

    name = "site"
    stop_signal = signal.SIGTERM

    def __init__(
        self,
        *,
        data_directory: Path | None = None,
        database_url: str | None = None,
        redis_url: str | None = None,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, str(MANAGE), "serve"),
    ) -> None:
        super().__init__()
        self.data_directory = data_directory or self.directory / "data"
        if data_directory or database_url:
            self.data_directory.mkdir(parents=True, exist_ok=True)
        else:
            shutil.copytree(_migrated_data(), self.data_directory)
        self._command = command
        self._variables = {
            "HOST": LOOPBACK,
            "PORT": str(self.port),
            "SYNCSITE_DATA": str(self.data_directory),
            "WORKERS": str(workers),
            "PYTHONUNBUFFERED": "1",  # a killed process leaves a whole log
            **({"DATABASE_URL": database_url} if database_url else {}),
            **({"REDIS_URL": redis_url} if redis_url else {}),
            **(environment or {}),
        }

    @property
    def http_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{LOOPBACK}:{self.port}"

    def terminate(self) -> int:
        """Send SIGTERM, wait for the end and return the exit code."""
        return self.stop()

    def manage(self, *arguments: str, directory: Path | None = None) -> str:
        """Run ``manage.py`` with the site's environment and return what it printed.

        Args:
            arguments: the command and its arguments.
            directory: where it runs; files are named from there.

        Raises:
            ServerFailedError: it ended with another exit code than 0.
        """
        return _manage(arguments, self.environment(), directory)

    def command(self) -> Sequence[str]:
        port = str(self.port)
        return [part.replace("{host}", LOOPBACK).replace("{port}", port) for part in self._command]

    def environment(self) -> Mapping[str, str]:
        return _inherited() | self._variables

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def site_database(postgres: PostgresServer, name: str) -> str:
    """Make a database with the site's tables, all empty, and return its URL."""
    template = "migrated"
    if not postgres.has_database(template):
        variables = {
            "DATABASE_URL": postgres.create_database(template),
            "SYNCSITE_DATA": str(_migrated_data()),  # for its secret key
        }
        _manage(["migrate"], _inherited() | variables)
    return postgres.create_database(name, template=template)


@cache
def _migrated_data() -> Path:
    # one for each process of the tests; the guardian removes it when the process has ended
    directory = Path(tempfile.mkdtemp(prefix="migrated-"))
    _guardians.append(Guardian(directory))
    data = directory / "data"
    _manage(["migrate"], _inherited() | {"SYNCSITE_DATA": str(data)})
    return data


_guardians: list[Guardian] = []


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in os.environ.keys() - SITE_VARIABLES}


def _manage(
    arguments: Sequence[str], environment: Mapping[str, str], directory: Path | None = None
) -> str:
    done = subprocess.run(
        [sys.executable, str(MANAGE), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=directory,
    )
    if done.returncode != 0:
        raise ServerFailedError(
            f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
        )
    return done.stdout
