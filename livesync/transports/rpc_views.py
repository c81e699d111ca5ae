"""RPC over HTTP: the bytes of a request in, those of its answers out.

The answers are a series of messages, each behind its length in four bytes, the highest first. For
a pull they are sent as they are read.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from struct import Struct
from typing import Any

from rest_framework.request import Request

from livesync.protocol import rpc
from livesync.protocol.calls import RPC_PROCEDURES
from livesync.protocol.errors import CommitUnknownError
from livesync.protocol.packed_pages import pack
from livesync.protocol.rpc import Message
from livesync.transports.answers import Framing
from livesync.transports.rpc import read_request
from livesync.transports.views import SyncView

_LENGTH = Struct(">I")


class RpcView(SyncView):
    """Answers RPC requests; the query names the store, as on the other transports."""

    procedures = RPC_PROCEDURES
    media_type = "application/msgpack"
    answer_type = "application/octet-stream"
    frame_page: Framing = staticmethod(rpc.rpc_chunk)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Read the URL."""
        super().initial(request, *args, **kwargs)
        self.sync_request = self.sync_request._replace(transport="rpc")

    async def read_messages(self, body: bytes) -> list[Message]:
        """Read the body."""
        return await read_request(body)

    def whole(self, answers: Sequence[str]) -> bytes:
        """All answers in one body."""
        return b"".join(map(_framed, answers))

    async def stream(
        self, first: list[str], rest: AsyncIterator[str]
    ) -> AsyncIterator[str | bytes]:
        """The same in pieces; ``first`` is taken apart."""
        while first:
            yield _framed(first.pop(0))
        # too late for another status: an end without an Exit says that nobody knows
        with suppress(CommitUnknownError):
            async for answer in rest:
                yield _framed(answer)


def _framed(answer: str) -> bytes:
    data = pack(answer)
    return _LENGTH.pack(len(data)) + data
