"""The npm packages of the clients: there, and those of the lock file; the scripts as bundles.

A script imports some thousand modules, which takes Node a second at every start of a process.
esbuild, which comes with vite, puts them into one file.
"""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

E2E = Path(__file__).resolve().parent.parent
SOURCES = ("package-lock.json", "package.json", ".npmrc")
STAMP = E2E / "node_modules" / ".installed"
"""Holds the digest of the sources that were installed. ``npm ci`` begins by removing it."""

JS = E2E / "js"
BUNDLES = E2E / ".bundles"
BUNDLED = ("store_app.mjs", "sync_client.mjs")
BUNDLES_STAMP = BUNDLES / ".digest"
"""Holds the digest of the scripts and packages that were bundled."""

EXTERNAL = (
    "@livestore/devtools-vite",  # never installed: only a browser's devtools ask for it
    "@livestore/wa-sqlite",  # finds its WebAssembly beside itself
    "livesync-rpc",  # our own: built later than the bundles
    "vite",
)
REQUIRE = (
    "import { createRequire as makeRequire } from 'node:module';"
    "const require = makeRequire(import.meta.url);"
)
"""What the packages among them that are CommonJS need in a module."""

NODE_MIN_MAJOR = 20
"""The first Node with a WebSocket client, behind a flag."""


class InstallError(Exception):
    """The packages cannot be installed; the message says what is missing."""


def ensure_installed() -> None:
    """Run ``npm ci`` and make the bundles, unless those of the present files are already there.

    Several processes may call it at once: one installs, the others wait for it.

    Raises:
        InstallError: Node or npm is missing or too old, or npm or esbuild failed.
    """
    check_node()
    with (E2E / "package-lock.json").open("rb") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        digest = sources_digest()
        if not STAMP.exists() or STAMP.read_text() != digest:
            install()
        # also when nothing was to do: a Makefile looks at the stamp's age, we at what it says
        STAMP.write_text(digest)
        ensure_bundled()


def ensure_bundled() -> None:
    """Make the bundles, unless those of the present scripts and packages are already there."""
    digest = digest_of(Path(__file__), STAMP, *sorted(JS.iterdir()))
    if BUNDLES_STAMP.exists() and BUNDLES_STAMP.read_text() == digest:
        return
    bundle()
    BUNDLES_STAMP.write_text(digest)


def script(name: str | Path) -> Path:
    """The file to run for a script of ``js/``, its bundle if it has one; a whole path is itself."""
    return (BUNDLES if name in BUNDLED else JS) / name


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
    return digest_of(*(E2E / name for name in SOURCES))


def digest_of(*files: Path) -> str:
    """A digest of what the files hold."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def install() -> None:
    """Run ``npm ci``; what it prints goes to our own output."""
    modules = E2E / "node_modules"
    if modules.is_symlink():
        modules.unlink()  # npm would empty the directory of another clone
    if subprocess.run(["npm", "ci"], cwd=E2E, check=False).returncode != 0:
        raise InstallError(f"npm ci failed in {E2E}")


def bundle() -> None:
    """Put each script of ``BUNDLED`` and all it imports into one file; nothing else is changed."""
    command = (
        *(str(E2E / "node_modules" / ".bin" / "esbuild"), *(str(JS / name) for name in BUNDLED)),
        *("--bundle", "--platform=node", "--format=esm", "--out-extension:.js=.mjs"),
        *("--keep-names", f"--banner:js={REQUIRE}", f"--outdir={BUNDLES}", "--log-level=warning"),
        *(f"--external:{name}" for name in EXTERNAL),
    )
    if subprocess.run(command, check=False).returncode != 0:
        raise InstallError(f"esbuild failed in {E2E}")
