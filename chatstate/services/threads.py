"""The threads of this process that look up what no writer has to."""

from functools import cache

from groundwork.connections import ConnectionThreads


@cache
def get_readers() -> ConnectionThreads:
    """Threads for look-ups of tokens."""
    return ConnectionThreads("chatstate-reader", 2)
