"""The site as its users run it: ``manage.py serve`` in processes of its own."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.processes import LOOPBACK, ServerFailedError, ServerProcess

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"

SITE_VARIABLES = frozenset(
    {
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
        data_directory: ``SYNCSITE_DATA``; without it one that ends with this object.
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
        self.data_directory.mkdir(parents=True, exist_ok=True)
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

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py`` with the site's environment and return what it printed.

        Raises:
            ServerFailedError: it ended with another exit code than 0.
        """
        done = subprocess.run(
            [sys.executable, str(MANAGE), *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=self.environment(),
        )
        if done.returncode != 0:
            raise ServerFailedError(
                f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def command(self) -> Sequence[str]:
        port = str(self.port)
        return [part.replace("{host}", LOOPBACK).replace("{port}", port) for part in self._command]

    def environment(self) -> Mapping[str, str]:
        inherited = {name: os.environ[name] for name in os.environ.keys() - SITE_VARIABLES}
        return {**inherited, **self._variables}

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
