"""How far a long command has come."""

import io

import pytest

from livesync.management import progress
from livesync.management.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock shows; its one item is changed."""
    shown = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: shown[0])
    return shown


def test_a_terminal_gets_a_bar_that_goes_away(clock: list[float]) -> None:
    terminal = Terminal()

    with Progress(terminal, "read") as shown:
        shown.show(1, 0.0)
        clock[0] += 2.0
        shown.show(20_000, 0.5)

    before, _, after = terminal.getvalue().partition("events")
    assert before == f"\r[{'#' * 15}{'.' * 15}]  50%  20,000 "
    assert after == " read, 10,000/s\x1b[K\r\x1b[K"


def test_a_log_gets_a_line_now_and_then(clock: list[float]) -> None:
    log = io.StringIO()

    with Progress(log, "written") as shown:
        for second in range(25):
            clock[0] = 100.0 + second
            shown.show(1_000 * second, second / 100)

    assert log.getvalue() == (
        "10%  10,000 events written, 1,000/s\n20%  20,000 events written, 1,000/s\n"
    )
