"""The open requests of one connection: what came for each and was not taken yet."""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterator

from msgspec import Raw

from groundwork.strict_json import JsonError
from livesync.client.errors import LostError, WrongAnswerError
from livesync.protocol import answers
from livesync.protocol.answers import PulledPage

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Most bytes of a message from a server; its pages are far below, but for one large event."""

_WAITING_MAX_CHUNKS = 1_024
_WAITING_MAX_BYTES = 16_000_000

# unique in this process and ascending on each socket, as in LiveStore's own client
_request_ids = itertools.count()


def next_request_id() -> str:
    """An id that no other request of this process has."""
    return str(next(_request_ids))


class Call:
    """One request: its chunks, then its end."""

    __slots__ = ("_bytes", "_chunks", "_end", "_has_ended", "_news", "request_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self._chunks: deque[Raw] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._has_ended = False
        self._end: Exception | None = None

    def put(self, values: Raw) -> bool:
        """Keep a chunk until it is taken; tells whether there is room for one more.

        Every chunk is acknowledged when it comes, so that the server never waits for the code that
        takes them; what it would have to keep for slow code is not kept here either.
        """
        self._chunks.append(values)
        self._bytes += memoryview(values).nbytes
        self._news.set()
        return len(self._chunks) < _WAITING_MAX_CHUNKS and self._bytes < _WAITING_MAX_BYTES

    def end(self, error: Exception | None) -> None:
        """Let the taker have what is there, then the error, or the good end."""
        if not self._has_ended:
            self._has_ended = True
            self._end = error
            self._news.set()

    async def next_chunk(self) -> Raw | None:
        """The next chunk; None behind the last one of a request that was carried out.

        Raises whatever else it ended with.
        """
        while not self._chunks:
            if self._has_ended:
                if self._end is not None:
                    raise self._end
                return None
            self._news.clear()
            await self._news.wait()
        values = self._chunks.popleft()
        self._bytes -= memoryview(values).nbytes
        return values


def overfull() -> LostError:
    """The end of a call that was ended here, until what it brought is taken."""
    return LostError("events come faster than they are taken", at_once=True)


def open_chunk(values: Raw) -> Iterator[PulledPage]:
    """The pages of a chunk.

    Raises:
        WrongAnswerError: they are none.
    """
    try:
        yield from answers.read_pages(values)
    except JsonError as error:
        raise WrongAnswerError(f"pages that are none: {error}") from error
