"""Workers of npm packages, bundled by esbuild and run by workerd."""

import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.processes import LOOPBACK, ServerProcess

SOURCES = ("package.json", "package-lock.json")
BUNDLE = Path("dist") / "worker.js"


class WorkerdServer(ServerProcess):
    """One worker, with its Durable Objects' SQLite files on disk.

    ``build_package`` must have been called once for its ``node_package``.
    """

    stop_signal = signal.SIGKILL  # SIGTERM makes workerd wait until every socket has closed

    node_package: ClassVar[Path]
    """Directory of the npm package that has workerd and the worker."""

    configuration: ClassVar[Path]
    """The worker's ``.capnp`` file."""

    options: ClassVar[tuple[str, ...]] = ()
    """What workerd is told besides."""

    def command(self) -> Sequence[str]:
        storage = self.directory / "storage"
        storage.mkdir(exist_ok=True)
        return [
            *(str(_workerd(self.node_package)), "serve", str(self.configuration), *self.options),
            f"--socket-addr=http={LOOPBACK}:{self.port}",
            f"--directory-path=storage={storage}",
        ]

    def is_ready(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def build_package(directory: Path, *, worker: str) -> None:
    """Install the packages and bundle the worker, unless that is done.

    Args:
        directory: where ``package.json`` is; the bundle becomes its ``dist/worker.js``.
        worker: the worker's source file in there.

    Raises:
        FileNotFoundError: npm is missing.
        subprocess.CalledProcessError: npm failed; it has said why on stderr.
    """
    changed_at = max((directory / name).stat().st_mtime for name in (*SOURCES, worker))
    bundle = directory / BUNDLE
    if bundle.exists() and bundle.stat().st_mtime > changed_at:
        return
    run_npm(directory, "ci")
    run_npm(directory, "run", "build")


def package_versions(directory: Path, names: Sequence[str]) -> dict[str, str]:
    """The pinned versions of some of a package's dependencies."""
    dependencies = json.loads((directory / "package.json").read_text())["dependencies"]
    return {name: str(dependencies[name]) for name in names}


def run_npm(directory: Path, *arguments: str) -> None:
    """Run npm in ``directory``, its output on stderr only.

    Raises:
        FileNotFoundError: npm is missing.
        subprocess.CalledProcessError: npm failed; it has said why on stderr.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("the reference server needs Node 20 and npm")
    subprocess.run([npm, *arguments], cwd=directory, check=True, stdout=subprocess.DEVNULL)


def _workerd(directory: Path) -> Path:
    # not node_modules/.bin/workerd: that one is a Node process that waits for the real one
    binaries = sorted(directory.glob("node_modules/@cloudflare/workerd-*/bin/workerd"))
    if not binaries:
        raise FileNotFoundError("no workerd for this platform; was build_package called?")
    return binaries[0]
