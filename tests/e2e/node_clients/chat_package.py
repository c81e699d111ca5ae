"""The npm package of the chat state adapter, built and installed as its users would have it.

It is built with the packages of the end-to-end tests, and put among them as npm would publish it:
whatever runs below ``tests/e2e`` imports ``chat-state-django`` by that name.
"""

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.node_clients.install import E2E, InstallError, ensure_installed

PACKAGE = E2E.parent.parent / "clients" / "chat-state-django"
INSTALLED = E2E / "node_modules" / "chat-state-django"
BUILT = PACKAGE / "dist"
STAMP = INSTALLED / ".installed"
"""Holds the digest of the sources that were built."""


def ensure_chat_package() -> None:
    """Build and install the package unless its present sources already were.

    Several processes may call it at once: one builds, the others wait for it.

    Raises:
        InstallError: Node or npm is missing or too old, or a command of theirs failed.
    """
    ensure_installed()
    with package_to_itself():
        link_dependencies()
        digest = sources_digest()
        if not BUILT.exists():  # the package's own tests import it from there
            run("npm", "run", "--silent", "build")
        if not STAMP.exists() or STAMP.read_text() != digest:
            run("npm", "run", "--silent", "build")
            install_packed()
            STAMP.write_text(digest)


@contextlib.contextmanager
def package_to_itself() -> Iterator[None]:
    """Wait until no other process builds or tests the package, and keep others waiting."""
    with (PACKAGE / "package.json").open("rb") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        yield


def link_dependencies() -> None:
    """Let the package find the packages of the end-to-end tests, unless it has its own."""
    modules = PACKAGE / "node_modules"
    if not modules.exists():
        modules.unlink(missing_ok=True)  # a link that leads nowhere
        modules.symlink_to(Path("..", "..", "tests", "e2e", "node_modules"))


def sources_digest() -> str:
    """A digest of everything that the installed package is made of."""
    files = [PACKAGE / "package.json", PACKAGE / "README.md", *PACKAGE.glob("tsconfig*.json")]
    files += [path for path in (PACKAGE / "src").rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def install_packed() -> None:
    """Pack what npm would publish, and unpack it where npm would put it."""
    with tempfile.TemporaryDirectory() as directory:
        run("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", directory)
        (packed,) = Path(directory).glob("*.tgz")
        shutil.unpack_archive(packed, directory, "gztar")
        shutil.rmtree(INSTALLED, ignore_errors=True)
        shutil.copytree(Path(directory, "package"), INSTALLED)


def run(*command: str) -> None:
    """Run a command in the package; what it prints goes to our own output."""
    if subprocess.run(command, cwd=PACKAGE, check=False).returncode != 0:
        raise InstallError(f"{' '.join(command)} failed in {PACKAGE}")
