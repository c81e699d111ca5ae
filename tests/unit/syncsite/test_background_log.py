"""A log that nobody waits for."""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from syncsite.background_log import BackgroundLog, pieces

PIPE_BYTES = 4_096


class Pipe(NamedTuple):
    """A small one that nobody reads unless the test does."""

    reader: int
    writer: int

    def fill(self) -> int:
        """Leave no room in it; how many bytes that took."""
        os.set_blocking(self.writer, False)
        try:
            return os.write(self.writer, b"x" * 2 * PIPE_BYTES)
        finally:
            os.set_blocking(self.writer, True)

    def read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            data += os.read(self.reader, length - len(data))
        return data

    def read_until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            data += os.read(self.reader, PIPE_BYTES)
        return data


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    fcntl.fcntl(made.writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield made
    for end in made:
        try:
            os.close(end)
        except OSError:
            continue


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("a.logger", logging.INFO, "/a/file.py", 7, message, args, None)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "log"]


def test_lines_are_written_in_their_order(pipe: Pipe) -> None:
    log = BackgroundLog(pipe.writer)

    for number in range(100):
        log.handle(record("line %d", number))
    log.close()

    assert pipe.read_until(b"line 99\n") == b"".join(b"line %d\n" % n for n in range(100))


def test_a_full_pipe_keeps_nobody_waiting_and_loses_nothing(pipe: Pipe) -> None:
    log = BackgroundLog(pipe.writer)
    filled = pipe.fill()

    for number in range(1_000):
        log.handle(record("line %d", number))

    pipe.read(filled)
    assert pipe.read_until(b"line 999\n").count(b"\n") == 1_000
    log.close()


def test_what_finds_no_room_is_dropped_and_told(pipe: Pipe) -> None:
    before = BackgroundLog.dropped_lines
    log = BackgroundLog(pipe.writer, max_bytes=100)
    filled = pipe.fill()

    for _ in range(50):
        log.handle(record("a line"))
    dropped = BackgroundLog.dropped_lines - before
    pipe.read(filled)
    log.flush()
    log.handle(record("later"))
    log.close()

    written = pipe.read_until(b"later\n").decode().splitlines()
    # told more than once where the thread took some lines while others came
    told = [int(line.split()[0]) for line in written if line.endswith("in time")]
    assert sum(told) == dropped
    assert written.count("a line") + dropped == 50
    assert dropped >= 20  # fourteen wait, at most as many are under way


def test_a_line_above_the_bound_goes_alone(pipe: Pipe) -> None:
    log = BackgroundLog(pipe.writer, max_bytes=10)

    log.handle(record("longer than ten"))
    log.close()

    assert pipe.read_until(b"\n") == b"longer than ten\n"


def test_a_pipe_that_does_not_block_gets_everything(pipe: Pipe) -> None:
    log = BackgroundLog(pipe.writer)
    filled = pipe.fill()
    os.set_blocking(pipe.writer, False)

    log.handle(record("%s", "y" * 3 * PIPE_BYTES))

    pipe.read(filled)
    assert len(pipe.read_until(b"y\n")) == 3 * PIPE_BYTES + 1
    log.close()


def test_lines_that_nobody_will_read_are_dropped(pipe: Pipe) -> None:
    before = BackgroundLog.dropped_lines
    log = BackgroundLog(pipe.writer)
    os.close(pipe.reader)

    log.handle(record("to nobody"))
    log.close()

    assert BackgroundLog.dropped_lines == before + 1


def test_a_reader_that_takes_nothing_does_not_hold_the_end_up(pipe: Pipe) -> None:
    log = BackgroundLog(pipe.writer, give_up_s=0.01)
    filled = pipe.fill()
    log.handle(record("stuck"))

    log.close()

    (writing,) = threads()
    pipe.read(filled)
    assert pipe.read_until(b"\n") == b"stuck\n"
    writing.join()


def test_a_closed_log_takes_lines_again(pipe: Pipe) -> None:
    log = BackgroundLog(pipe.writer)
    log.handle(record("first"))
    log.close()
    assert threads() == []

    log.handle(record("second"))
    log.close()

    assert pipe.read_until(b"second\n") == b"first\nsecond\n"


def test_a_wrong_call_is_told_and_harms_nobody(pipe: Pipe) -> None:
    log = BackgroundLog(pipe.writer)

    log.handle(record("%d", "no number"))
    log.close()

    told = pipe.read_until(b"not str\n")
    assert told.startswith(b"a log line of /a/file.py, line 7, cannot be formatted\nTraceback")


def test_what_is_no_text_is_written_nevertheless(pipe: Pipe) -> None:
    log = BackgroundLog(pipe.writer)

    log.handle(record("ü and \ud83d"))
    log.close()

    assert pipe.read_until(b"\n") == "ü and \\ud83d\n".encode()


def test_a_piece_holds_whole_lines() -> None:
    lines = ["one\n", "two\n", "ü\n", "a long one\n", "end\n"]

    assert list(pieces(lines, max_bytes=8)) == [
        b"one\ntwo\n",
        "ü\n".encode(),
        b"a long one\n",
        b"end\n",
    ]
    assert list(pieces([], max_bytes=8)) == []
