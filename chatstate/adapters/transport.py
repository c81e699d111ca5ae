"""What an adapter needs of the way to the server, in this process or over a socket."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from chatstate.protocol.errors import PassingError
from chatstate.protocol.operations import Operation


class Reply(NamedTuple):
    """What an operation came to.

    Attributes:
        text: the JSON of its value; of a list, all of it.
        sent_at_ms: when it was first sent, in epoch milliseconds of this machine's clock.
    """

    text: str
    sent_at_ms: int


Told = Callable[[Reply | Exception], None]
"""Is told what an operation came to."""


class Transport(Protocol):
    """A way to have operations carried out."""

    @property
    def is_open(self) -> bool:
        """Whether ``call`` can be used in this event loop: opened, and not closed since."""

    async def open(self) -> None:
        """Make ready; does nothing if it is. Can be called again when it failed.

        Raises:
            ChatstateError: it failed.
        """

    async def close(self) -> None:
        """Let go of everything; does nothing if it is not open."""

    async def call(self, operation: Operation, *, timeout_s: float | None = None) -> Reply:
        """Have an operation carried out; what is refused for the moment is tried again.

        Args:
            operation: with a request id if it must not be carried out twice.
            timeout_s: how long that may take; None: as long as the protocol lets clients repeat.

        Raises:
            NoAnswerError: the time is up.
            ChatstateError: it was refused.
        """

    def begin(self, operation: Operation, told: Told) -> None:
        """``call``, but go on with it whatever becomes of the caller; ``told`` hears of it.

        What ``call`` would raise ``told`` gets; it is called in this event loop.
        """


class NoAnswerError(PassingError):
    """No answer came in time; the operation may have been carried out."""

    code = "timeout"

    def __init__(self, name: str, why: str = "") -> None:
        super().__init__(f"{name} got no answer in time{f': {why}' if why else ''}")


class UnreachableError(PassingError):
    """The server cannot be reached."""

    code = "unavailable"


def wall_ms() -> int:
    """What this machine's wall clock shows, in epoch milliseconds."""
    return time.time_ns() // 1_000_000
