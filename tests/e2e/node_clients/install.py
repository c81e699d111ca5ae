"""The npm packages of the clients: there, and those of the lock file."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

E2E = Path(__file__).resolve().parent.parent
SOURCES = ("package-lock.json", "package.json", ".npmrc")
STAMP = E2E / "node_modules" / ".installed"
"""Holds the digest of the sources that were installed. ``npm ci`` begins by removing it."""

NODE_MIN_MAJOR = 20
"""The first Node with a WebSocket client, behind a flag."""


class InstallError(Exception):
    """The packages cannot be installed; the message says what is missing."""


def ensure_installed() -> None:
    """Run ``npm ci`` unless the packages of the present lock file are already there.

    Several processes may call it at once: one installs, the others wait for it.

    Raises:
        InstallError: Node or npm is missing or too old, or npm failed.
    """
    check_node()
    with (E2E / "package-lock.json").open("rb") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        digest = sources_digest()
        if not STAMP.exists() or STAMP.read_text() != digest:
            install()
        # also when nothing was to do: a Makefile looks at the stamp's age, we at what it says
        STAMP.write_text(digest)


def check_node() -> None:
    """Raise an ``InstallError`` unless a Node that can run the clients is on the path."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise InstallError(f"the e2e tests need node >= {NODE_MIN_MAJOR} and npm on the path")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    major = int(version.stdout.removeprefix("v").split(".")[0])
    if major < NODE_MIN_MAJOR:
        raise InstallError(f"the e2e tests need node >= {NODE_MIN_MAJOR}, found {version.stdout}")


def sources_digest() -> str:
    """A digest of everything that decides what ``npm ci`` installs."""
    texts = [(E2E / name).read_bytes() for name in SOURCES]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def install() -> None:
    """Run ``npm ci``; what it prints goes to our own output."""
    if subprocess.run(["npm", "ci"], cwd=E2E, check=False).returncode != 0:
        raise InstallError(f"npm ci failed in {E2E}")
