"""Where a server spends its time, by py-spy if that is installed."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SAMPLES_PER_S = 200


@contextmanager
def profiled(pid: int, target: Path) -> Iterator[None]:
    """Write a flame graph of the block to ``target``, an SVG file.

    Raises:
        FileNotFoundError: py-spy is not installed.
    """
    py_spy = shutil.which("py-spy")
    if py_spy is None:
        raise FileNotFoundError("--profile needs py-spy on the PATH")
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [py_spy, "record", "--pid", str(pid), "--output", str(target), "--threads"]
    command += ["--rate", str(SAMPLES_PER_S), "--nonblocking", "--subprocesses"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as recorder:
        try:
            yield
        finally:
            recorder.send_signal(signal.SIGINT)
