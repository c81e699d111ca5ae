"""The reference: the published sync worker, bundled by esbuild, run by workerd."""

import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.processes import LOOPBACK, ServerProcess

REFERENCE = Path(__file__).resolve().parent / "reference"
BUNDLE = REFERENCE / "dist" / "worker.js"
SOURCES = ("package.json", "package-lock.json", "worker.js")


class ReferenceServer(ServerProcess):
    """``@livestore/sync-cf`` as published, with the Durable Objects' SQLite files on disk.

    ``build_reference`` must have been called once.
    """

    name = "reference"
    stop_signal = signal.SIGKILL  # SIGTERM makes workerd wait until every socket has closed

    def command(self) -> Sequence[str]:
        storage = self.directory / "storage"
        storage.mkdir(exist_ok=True)
        return [
            *(str(_workerd()), "serve", str(REFERENCE / "workerd.capnp")),
            f"--socket-addr=http={LOOPBACK}:{self.port}",
            f"--directory-path=storage={storage}",
        ]

    def is_ready(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def build_reference() -> None:
    """Install the packages and bundle the worker, unless that is done.

    Raises:
        FileNotFoundError: npm is missing.
        subprocess.CalledProcessError: npm failed; it has said why on stderr.
    """
    changed_at = max((REFERENCE / name).stat().st_mtime for name in SOURCES)
    if BUNDLE.exists() and BUNDLE.stat().st_mtime > changed_at:
        return
    _run_npm("ci")
    _run_npm("run", "build")


def reference_versions() -> dict[str, str]:
    """The pinned versions of what makes the reference."""
    dependencies = json.loads((REFERENCE / "package.json").read_text())["dependencies"]
    return {name: str(dependencies[name]) for name in ("@livestore/sync-cf", "effect", "workerd")}


def _workerd() -> Path:
    # not node_modules/.bin/workerd: that one is a Node process that waits for the real one
    binaries = sorted(REFERENCE.glob("node_modules/@cloudflare/workerd-*/bin/workerd"))
    if not binaries:
        raise FileNotFoundError("no workerd for this platform; was build_reference called?")
    return binaries[0]


def _run_npm(*arguments: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("the reference server needs Node 20 and npm")
    subprocess.run([npm, *arguments], cwd=REFERENCE, check=True, stdout=subprocess.DEVNULL)
