"""How far a long command has come: a bar for people, a line now and then for a log."""

import time
from typing import TextIO

_BAR_WIDTH = 30
_BAR_EVERY_S = 0.2
_LINE_EVERY_S = 10.0


class Progress:
    """Shows on ``stream`` how many events are done, and what share; a context manager.

    Args:
        stream: where to; a terminal gets a bar that is redrawn and goes away at the end.
        verb: what happens to the events, such as ``imported``.
    """

    def __init__(self, stream: TextIO, verb: str) -> None:
        self._stream = stream
        self._verb = verb
        self._is_terminal = stream.isatty()
        self._started_at = self._shown_at = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._is_terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def show(self, count: int, share: float) -> None:
        """Events so far, and the share of all that they are, from 0 to 1."""
        now = time.monotonic()
        if now - self._shown_at < (_BAR_EVERY_S if self._is_terminal else _LINE_EVERY_S):
            return
        self._shown_at = now
        per_second = count / (now - self._started_at)
        text = f"{share:4.0%}  {count:,} events {self._verb}, {per_second:,.0f}/s"
        if self._is_terminal:
            done = round(share * _BAR_WIDTH)
            self._stream.write(f"\r[{'#' * done:.<{_BAR_WIDTH}}] {text}\x1b[K")
        else:
            self._stream.write(f"{text.strip()}\n")
        self._stream.flush()
