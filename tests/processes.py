"""Servers that tests start, kill and start again: one port and one log over many lives.

Linux only: who is alive is read from ``/proc``.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

from tests.guardian import Guardian

LOOPBACK = "127.0.0.1"
DEADLINE_S = 60.0
"""Generous: only a server that will never be ready, or never end, uses it up."""

POLL_S = 0.005


class ServerFailedError(RuntimeError):
    """A server ended, or did not get ready or end in time; the message holds the end of its log."""


class ReservedPort:
    """A TCP port of 127.0.0.1 that nobody else is given until it is released.

    The socket is bound and never listens. ``SO_REUSEADDR``, set only after the bind, lets the
    server bind beside it (every server here sets the same option), as often as it is restarted.
    While the server is down the kernel hands the number neither to another test run nor to an
    outgoing connection; without this a client that redials in a loop can even connect to itself.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind((LOOPBACK, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """Give the port back; may be called twice."""
        self._socket.close()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago; nobody keeps it free."""
    port = ReservedPort()
    port.release()
    return port.number


def wait_until(condition: Callable[[], bool], *, what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return as soon as ``condition()`` holds.

    Raises:
        TimeoutError: it did not within ``deadline_s`` seconds; the message names ``what``.
    """
    give_up_at = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{what}: not within {deadline_s:g} s")
        time.sleep(POLL_S)


class ServerProcess(ABC):
    """One server on one port of 127.0.0.1, with a directory of its own for the log and files.

    Use it as a context manager (start, then close) or call the verbs. After ``stop`` or ``kill``
    it can be started again, on the same port and the same data; ``close`` removes everything, and
    a guardian does when the tests die first.
    """

    name: ClassVar[str]
    """How it is called in messages; also the start of its directory's name."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    """Asks the server to end in good order."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.parent_directory()))
        self._port = ReservedPort()
        self._guardian = Guardian(self.directory)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line of the server, which stays in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether this life of the server serves; called again and again while it starts."""

    def environment(self) -> Mapping[str, str]:
        """The server's environment variables; the tests' own unless overridden."""
        return os.environ

    def parent_directory(self) -> str:
        """Where the server's directory is made."""
        return tempfile.gettempdir()

    def popen_options(self) -> dict[str, Any]:
        """More arguments for ``Popen``, such as the user to run as."""
        return {}

    @property
    def port(self) -> int:
        return self._port.number

    @property
    def pid(self) -> int:
        """Process id of the present life, or of the last one."""
        if self._process is None:
            raise ServerFailedError(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path:
        return self.directory / "log.txt"

    @property
    def log(self) -> str:
        """What the server wrote to stdout and stderr, in all its lives."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self) -> None:
        """Start the server and return when it serves.

        Raises:
            ServerFailedError: it ended instead, or was not ready in time (it is killed then).
        """
        if self.running:
            raise ServerFailedError(f"{self.name} is running already, as process {self.pid}")
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment(),
                start_new_session=True,
                **self.popen_options(),
            )
        self._guardian.watch(self._process.pid)
        self._await_ready()

    def stop(self) -> int:
        """Ask the server to end, and return its exit code (negative: the signal it died of).

        Raises:
            ServerFailedError: it did not end in time; it is killed then.
        """
        if self._process is None:
            raise ServerFailedError(f"{self.name} was never started")
        if self.running:
            self._process.send_signal(self.stop_signal)
        try:
            code = self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._failure("did not end in time") from None
        kill_family(self._process)  # a worker that outlived its parent would keep the port
        self._guardian.rest()
        return code

    def kill(self) -> None:
        """SIGKILL the server and all its processes at one go; returns when they are gone."""
        if self._process is not None:
            kill_family(self._process)
            self._guardian.rest()

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same port and data."""
        if self.running:
            self.stop()
        self.start()

    def close(self) -> None:
        """Stop the server if it runs, remove its directory and give the port back."""
        try:
            if self.running:
                self.stop()
        finally:
            if self.running:  # interrupted; the guardian, let go below, would not kill it any more
                self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)
            self._guardian.release()
            self._port.release()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _await_ready(self) -> None:
        try:
            wait_until(lambda: not self.running or self.is_ready(), what=f"{self.name} ready")
        except TimeoutError:
            self.kill()
            raise self._failure("was not ready in time") from None
        if not self.running:
            raise self._failure("ended while it was starting")

    def _failure(self, what: str) -> ServerFailedError:
        code = self._process.poll() if self._process else None
        tail = "\n".join(self.log.splitlines()[-30:])
        return ServerFailedError(f"{self.name} {what} (exit code {code}). Its log ends:\n{tail}")


class ProcessStatus(NamedTuple):
    """One line of the process table."""

    pid: int
    state: str
    parent: int
    group: int


def kill_family(leader: subprocess.Popen[bytes]) -> None:
    """SIGKILL ``leader``, its descendants and its process group; returns when all are gone."""
    if leader.poll() is None:
        # stopped first: a leader that still forks would leave a child that nobody counted
        os.kill(leader.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, leader.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    family = _family(leader.pid)
    for pid in family:
        _kill(pid)
    leader.wait(DEADLINE_S)
    wait_until(lambda: family.isdisjoint(_living()), what=f"end of the processes {family}")


def _family(leader: int) -> set[int]:
    table = list(_process_table())
    family = {leader} | {entry.pid for entry in table if entry.group == leader}
    while grown := {entry.pid for entry in table if entry.parent in family} - family:
        family |= grown
    return family & {entry.pid for entry in table if entry.state not in "ZX"}


def _living() -> set[int]:
    # nobody may ever reap an orphan in a container, so a zombie counts as gone
    return {entry.pid for entry in _process_table() if entry.state not in "ZX"}


def _process_table() -> Iterator[ProcessStatus]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, group = text.rpartition(")")[2].split()[:3]
        yield ProcessStatus(int(path.parent.name), state, int(parent), int(group))


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
