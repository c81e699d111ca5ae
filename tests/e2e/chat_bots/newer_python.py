"""Python's Chat SDK as it is since 0.4.29, which needs Python 3.12 or newer, where there is one."""

import fcntl
import functools
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent

CHAT_SDK = "chat-sdk==0.4.41"
OLDEST_MINOR = 12
ENVIRONMENT = HERE / ".newer-python"
"""A virtualenv that is made at the first call, and again when a requirement has changed."""


class NoNewerPythonError(Exception):
    """No Python 3.12 or newer is installed here, or ``chat-sdk`` cannot be; says which."""


@functools.cache
def newer_python() -> str:
    """The path of a Python that has ``CHAT_SDK`` and what the state adapters need.

    Several processes may call it at once: one installs, the others wait for it.

    Raises:
        NoNewerPythonError: there is none.
    """
    base = _find()
    with (HERE / "__init__.py").open("rb") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        stamp = ENVIRONMENT / "stamp"
        wanted = _digest(base)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(base)
            stamp.write_text(wanted)
    return str(ENVIRONMENT / "bin" / "python")


def _find() -> Path:
    for candidate in _candidates():
        question = f"import sys; sys.exit(sys.version_info < (3, {OLDEST_MINOR}))"
        if subprocess.run([candidate, "-c", question], check=False).returncode == 0:
            return candidate
    raise NoNewerPythonError(f"{CHAT_SDK} needs Python 3.{OLDEST_MINOR}, and none is installed")


def _candidates() -> Iterator[Path]:
    minors = range(OLDEST_MINOR, OLDEST_MINOR + 5)
    names = ["python3", *(f"python3.{minor}" for minor in minors)]
    yield from (Path(found) for name in names if (found := shutil.which(name)))
    yield from sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))


def _digest(base: Path) -> str:
    requirements = (ROOT / "requirements.txt").read_text()
    return hashlib.sha256(f"{base}\0{CHAT_SDK}\0{requirements}".encode()).hexdigest()


def _install(base: Path) -> None:
    # by our own pip, and with the little compiled that is imported: a pip of its own, and all of
    # Django compiled, would take as long as the packages themselves
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    where = ["--python", str(ENVIRONMENT / "bin" / "python")]
    what = ["-r", str(ROOT / "requirements.txt"), CHAT_SDK]
    commands = [
        [str(base), "-m", "venv", "--without-pip", "--clear", str(ENVIRONMENT)],
        [*pip, *where, "install", "--quiet", "--no-compile", *what],
    ]
    for command in commands:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise NoNewerPythonError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
