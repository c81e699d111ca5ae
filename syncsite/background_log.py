"""A log handler that nobody waits for: a thread of its own writes.

Whoever reads standard error may stop reading: a pipe holds 64 KiB, and then a write waits. If that
were the event loop's, the whole process would wait for its log.
"""

import logging
import os
import select
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import ClassVar

MAX_BYTES = 4 * 1024 * 1024
"""Most characters of lines that wait; as many may be under way besides."""

GIVE_UP_S = 0.5
"""At the end of the process, a reader that takes nothing for so long is waited for no more."""


class BackgroundLog(logging.Handler):
    """Formats where a line is logged, writes in a thread; drops and counts what finds no room.

    What was dropped is told in one line as soon as lines are taken again. ``logging.shutdown``,
    which Python calls at the end of a process, and ``flush`` wait until everything is written, as
    long as something is taken. A process that is killed loses what waits.

    Args:
        fd: where to write; standard error by default.
        max_bytes: most characters that wait.
        give_up_s: how long ``flush`` and ``close`` wait while nothing is taken.
    """

    dropped_lines: ClassVar[int] = 0
    """How many lines this process has dropped."""

    def __init__(
        self, fd: int | None = None, *, max_bytes: int = MAX_BYTES, give_up_s: float = GIVE_UP_S
    ) -> None:
        super().__init__()
        self._fd = _standard_error() if fd is None else fd
        self._max_bytes = max_bytes
        self._give_up_s = give_up_s
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._waiting_bytes = 0
        self._untold = 0
        self._is_writing = False
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n"
        except Exception:  # whatever a wrong call raises, its caller must not feel
            line = f"{self.format(_about_a_wrong_call(record))}\n"
        with self._changed:
            if self._lines and self._waiting_bytes + len(line) > self._max_bytes:
                self._count_as_dropped(1)
                return
            self._lines.append(line)
            self._waiting_bytes += len(line)
            self._changed.notify_all()
            self._start_if_needed()

    def flush(self) -> None:
        """Return when every line is written, or when nothing is taken."""
        with self._changed:
            while self._lines or self._is_writing:
                if not self._changed.wait(self._give_up_s):
                    return

    def close(self) -> None:
        """Write what waits and end the thread; a line that is logged later starts another one."""
        self.flush()
        with self._changed:
            thread, self._thread = self._thread, None
            self._is_closing = True
            self._changed.notify_all()
        if thread is not None:
            thread.join(self._give_up_s)
        super().close()

    def _start_if_needed(self) -> None:
        # not alive: this is the child of a fork
        if self._thread is None or not self._thread.is_alive():
            self._is_closing = False
            self._thread = threading.Thread(target=self._work, name="log", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while lines := self._take():
            try:
                for piece in pieces(lines, max_bytes=select.PIPE_BUF):
                    self._write(piece)
            except OSError:  # nobody will ever read it
                with self._changed:
                    self._count_as_dropped(len(lines))

    def _take(self) -> list[str]:
        """All lines that wait, one at least; none at the end."""
        with self._changed:
            self._is_writing = False
            self._changed.notify_all()
            while not self._lines and not self._is_closing:
                self._changed.wait()
            lines, self._lines = self._lines, []
            self._waiting_bytes = 0
            self._is_writing = bool(lines)
            if self._untold and lines:
                lines.append(f"{self.format(_about_dropped(self._untold))}\n")
                self._untold = 0
            return lines

    def _write(self, piece: bytes) -> None:
        # not through sys.stderr: at the end of the process Python waits for the lock of a stream
        # that a thread is writing to, and crashes
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # whoever shares it with us may have made it so
                select.select((), (self._fd,), ())
            with self._changed:
                self._changed.notify_all()

    def _count_as_dropped(self, lines: int) -> None:
        self._untold += lines
        BackgroundLog.dropped_lines += lines


def pieces(lines: Sequence[str], *, max_bytes: int) -> Iterator[bytes]:
    """Whole lines as bytes, as many to a piece as ``max_bytes`` take; a longer line goes alone.

    What goes into a pipe in one write of at most ``PIPE_BUF`` bytes is not torn by what another
    process writes there.
    """
    piece = b""
    for line in lines:
        data = line.encode(errors="backslashreplace")
        if piece and len(piece) + len(data) > max_bytes:
            yield piece
            piece = b""
        piece += data
    if piece:
        yield piece


def _standard_error() -> int:
    if sys.__stderr__ is None:
        # it was closed before we were started, so its number may be a socket's now
        return os.open(os.devnull, os.O_WRONLY)
    return sys.__stderr__.fileno()


def _about_dropped(lines: int) -> logging.LogRecord:
    message = "%d log lines were dropped: nobody took them in time"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, (lines,), None)


def _about_a_wrong_call(record: logging.LogRecord) -> logging.LogRecord:
    message = "a log line of %s, line %s, cannot be formatted"
    place = (record.pathname, record.lineno)
    return logging.LogRecord(__name__, logging.ERROR, __file__, 0, message, place, sys.exc_info())
