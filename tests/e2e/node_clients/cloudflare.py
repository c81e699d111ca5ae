"""What people move away from and back to: the published sync worker, and LiveStore's command line.

Both are built on the packages of the other end-to-end tests; what they need besides is a small npm
package of its own, in ``../cloudflare/``.
"""

import fcntl
import os
import subprocess
from pathlib import Path

from benchmarks.workerd import WorkerdServer
from tests.e2e.node_clients.install import E2E, InstallError, digest_of, ensure_installed

CLOUDFLARE = E2E / "cloudflare"
SOURCES = ("package-lock.json", "package.json", ".npmrc", "worker.js")
STAMP = CLOUDFLARE / "node_modules" / ".installed"
"""Holds the digest of the sources that were installed and bundled."""

COMMAND_LINE = CLOUDFLARE / "node_modules" / "@livestore" / "cli" / "dist" / "bin.js"
DEADLINE_S = 120


class SyncWorker(WorkerdServer):
    """``@livestore/sync-cf`` as published, with the Durable Objects' files on disk.

    ``ensure_cloudflare`` must have been called.
    """

    name = "worker"
    node_package = CLOUDFLARE
    configuration = CLOUDFLARE / "workerd.capnp"

    def durable_objects(self) -> list[Path]:
        """The files of its Durable Objects, one for each store."""
        return self._files("livestore-sync")

    def _files(self, directory: str) -> list[Path]:
        return sorted((self.directory / "storage" / directory).glob("*.sqlite"))


class SyncWorkerOnD1(SyncWorker):
    """The same with ``storage: { _tag: 'd1' }``: the events of all stores are in one database."""

    name = "worker-d1"
    configuration = CLOUDFLARE / "d1.capnp"
    options = ("--experimental",)  # miniflare's D1 asks for it

    def databases(self) -> list[Path]:
        """The files of D1 databases: the one, if it was ever used."""
        return self._files("miniflare-D1DatabaseObject")


def ensure_cloudflare() -> None:
    """Install the packages and bundle the worker, unless that was done.

    Several processes may call it at once: one installs, the others wait for it.

    Raises:
        InstallError: Node or npm is missing or too old, or a command of theirs failed.
    """
    ensure_installed()
    with (CLOUDFLARE / "package-lock.json").open("rb") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        digest = digest_of(*(CLOUDFLARE / name for name in SOURCES))
        if not STAMP.exists() or STAMP.read_text() != digest:
            _run("npm", "ci")
            _bundle()
            STAMP.write_text(digest)


def run_command_line(*arguments: str, directory: Path, **environment: str) -> str:
    """Run ``livestore`` and return what it printed; that it succeeds is asserted."""
    done = subprocess.run(
        ["node", "--experimental-websocket", "--no-warnings", str(COMMAND_LINE), *arguments],
        cwd=directory,
        env={**os.environ, **environment},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _bundle() -> None:
    _run(
        *(str(E2E / "node_modules" / ".bin" / "esbuild"), "worker.js", "--bundle", "--format=esm"),
        *("--target=es2022", "--conditions=workerd,worker,browser", "--outfile=dist/worker.js"),
        *("--external:cloudflare:*", "--external:node:*", "--log-level=warning"),
    )


def _run(*command: str) -> None:
    if subprocess.run(command, cwd=CLOUDFLARE, check=False).returncode != 0:
        raise InstallError(f"{' '.join(command)} failed in {CLOUDFLARE}")
