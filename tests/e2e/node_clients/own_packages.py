"""Our own npm packages, built and installed as their users would have them.

They are built with the packages of the end-to-end tests, and put among them as npm would publish
them: whatever runs below ``tests/e2e`` imports them by their names.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.e2e.node_clients.install import E2E, InstallError, ensure_installed


class OwnPackage(NamedTuple):
    """A package of ``clients/``."""

    name: str

    @property
    def source(self) -> Path:
        """Where it is made."""
        return E2E.parent.parent / "clients" / self.name

    @property
    def installed(self) -> Path:
        """Where the tests import it from."""
        return E2E / "node_modules" / self.name

    @property
    def built(self) -> Path:
        """What ``npm run build`` makes."""
        return self.source / "dist"

    @property
    def stamp(self) -> Path:
        """Holds the digest of the sources that were built."""
        return self.installed / ".installed"


CHAT_PACKAGE = OwnPackage("chat-state-django")
RPC_PACKAGE = OwnPackage("livesync-rpc")
PACKAGES = (CHAT_PACKAGE, RPC_PACKAGE)


def ensure_own_packages() -> None:
    """Build and install the packages unless their present sources already were.

    Several processes may call it at once: one builds, the others wait for it.

    Raises:
        InstallError: Node or npm is missing or too old, or a command of theirs failed.
    """
    ensure_installed()
    for package in PACKAGES:
        with package_to_itself(package):
            link_dependencies(package)
            digest = sources_digest(package)
            if not package.built.exists():  # the package's own tests import it from there
                run(package, "npm", "run", "--silent", "build")
            if not package.stamp.exists() or package.stamp.read_text() != digest:
                run(package, "npm", "run", "--silent", "build")
                install_packed(package)
                package.stamp.write_text(digest)


@contextlib.contextmanager
def package_to_itself(package: OwnPackage) -> Iterator[None]:
    """Wait until no other process builds or tests the package, and keep others waiting."""
    with (package.source / "package.json").open("rb") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        yield


def link_dependencies(package: OwnPackage) -> None:
    """Let the package find the packages of the end-to-end tests, unless it has its own."""
    modules = package.source / "node_modules"
    if not modules.exists():
        modules.unlink(missing_ok=True)  # a link that leads nowhere
        modules.symlink_to(Path("..", "..", "tests", "e2e", "node_modules"))


def sources_digest(package: OwnPackage) -> str:
    """A digest of everything that the installed package is made of."""
    source = package.source
    files = [source / "package.json", source / "README.md", *source.glob("tsconfig*.json")]
    files += [path for path in (source / "src").rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(source)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def install_packed(package: OwnPackage) -> None:
    """Pack what npm would publish, and unpack it where npm would put it."""
    with tempfile.TemporaryDirectory() as directory:
        run(
            package,
            *("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", directory),
        )
        (packed,) = Path(directory).glob("*.tgz")
        shutil.unpack_archive(packed, directory, "gztar")
        shutil.rmtree(package.installed, ignore_errors=True)
        shutil.copytree(Path(directory, "package"), package.installed)


@contextlib.contextmanager
def compiled_tests(package: OwnPackage) -> Iterator[Path]:
    """The package's tests in JavaScript, with it itself, in a directory of this run's own."""
    directory = package.source / "test-build" / f"run-{os.getpid()}"
    run(package, "node_modules/.bin/tsc", "--outDir", str(directory))
    try:
        yield directory / "test"
    finally:
        shutil.rmtree(directory)


def run(package: OwnPackage, *command: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a command in the package.

    Raises:
        InstallError: it failed; the message has its whole output.
    """
    result = subprocess.run(
        command,
        cwd=package.source,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        said = f"{result.stdout}\n{result.stderr}"
        raise InstallError(f"{' '.join(command)} failed in {package.source}\n{said}")
