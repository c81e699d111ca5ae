"""What the planning of an operation knows of its transaction."""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from chatstate.protocol.operations import key_bytes


class Context(NamedTuple):
    """The transaction that an operation runs in.

    Args:
        namespace: of the bot.
        now_ms: the instant of the transaction, by the database's one clock.
        fences: numbers for new holders of locks, each larger than all before.
        list_page_max_chars: how much of a list to read at a time.
    """

    namespace: str
    now_ms: int
    fences: Iterator[int]
    list_page_max_chars: int

    def at(self, place: str) -> dict[str, Any]:
        """The parameters that say where something is, and when it is asked for."""
        return {
            "namespace": self.namespace,
            "digest": digest(place),
            "now": self.now_ms,
        }


@lru_cache(maxsize=8_192)
def digest(place: str) -> bytes:
    """What a key or thread id is found by; the last ones are kept: operations come in clusters."""
    return sha256(key_bytes(place)).digest()
