"""The app of the README, made from its code blocks, and what runs it: Node and Vite."""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.docs.browser import PAGE_DEADLINE_S
from tests.docs.pages import CodeBlock
from tests.e2e.node_clients.install import E2E
from tests.processes import LOOPBACK, ServerProcess, kill_family, wait_until

NODE_MODULES = E2E / "node_modules"
ESBUILD = NODE_MODULES / "esbuild" / "bin" / "esbuild"
VITE = NODE_MODULES / "vite" / "bin" / "vite.js"
CONFIG = "test.config.js"

# Vite serves no file outside of the app, and the packages are elsewhere; what it prepares belongs
# to this app alone
_CONFIG_TEXT = """
import config from './vite.config.js'

export default {
  ...config,
  cacheDir: './.vite',
  server: { ...config.server, allowedHosts: true, fs: { strict: false } },
}
"""


def make_app(directory: Path, blocks: Iterable[CodeBlock], replaced: Mapping[str, str]) -> Path:
    """Write the blocks that name a file into ``directory``; of two with one name the later wins.

    Args:
        directory: made if it is missing.
        blocks: of the README, and of what differs from it.
        replaced: texts of the examples and what stands for them in a test, such as ports.
    """
    directory.mkdir(exist_ok=True)
    (directory / "package.json").write_text('{"type": "module"}')
    (directory / "node_modules").symlink_to(NODE_MODULES)
    (directory / CONFIG).write_text(_CONFIG_TEXT)
    for block in blocks:
        text = block.text
        for old, new in replaced.items():
            text = text.replace(old, new)
        if block.name:
            (directory / block.name).write_text(text)
    return directory


class Script:
    """A script of the app in a Node process of its own. A context manager."""

    def __init__(self, app: Path, *words: str) -> None:
        self._app = app
        self._words = words
        self._log = app / f"{'-'.join(words)}.log".replace(" ", "-")

    def __enter__(self) -> "Script":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._words, cwd=self._app, stdout=log, stderr=subprocess.STDOUT
            )
        return self

    def __exit__(self, *_: object) -> None:
        kill_family(self._process)

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        """Return when it has printed ``text``; an error that holds its output if it never does."""
        try:
            wait_until(
                lambda: text in self.output,
                what=f"{text!r} from {self._words}",
                deadline_s=PAGE_DEADLINE_S,
            )
        except TimeoutError as error:
            raise AssertionError(f"{error}; it printed:\n{self.output}") from error


class ViteServer(ServerProcess):
    """``npx vite`` in the app."""

    name = "vite"

    def __init__(self) -> None:
        super().__init__()
        self.app = self.directory / "app"

    def command(self) -> Sequence[str]:
        options = ("--config", CONFIG, "--configLoader", "runner")
        where = ("--host", LOOPBACK, "--port", str(self.port), "--strictPort")
        return ["node", str(VITE), str(self.app), *options, *where]

    def environment(self) -> Mapping[str, str]:
        # Vite colours the address that is_ready looks for where CI or FORCE_COLOR is set
        inherited = {name: os.environ[name] for name in os.environ.keys() - {"FORCE_COLOR"}}
        return {**inherited, "NO_COLOR": "1"}

    def is_ready(self) -> bool:
        return f"{LOOPBACK}:{self.port}" in self.log

    def popen_options(self) -> dict[str, Path]:
        return {"cwd": self.app}


def bundle(app: Path, *scripts: str) -> str:
    """Bundle scripts for a browser with what they import, and return the JavaScript.

    Takes a second with esbuild, which Vite brings along, and half a minute with Vite itself.

    Raises:
        AssertionError: an import leads nowhere, or a script is none.
    """
    # Vite's own suffixes; what stands before them is a script of the list, or of a package
    vites = ("--external:*?worker", "--external:*?sharedworker")
    command = ["node", str(ESBUILD), *scripts, *vites, "--bundle", "--format=esm", "--outdir=dist"]
    done = subprocess.run(command, cwd=app, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return "".join(file.read_text() for file in (app / "dist").glob("*.js"))
