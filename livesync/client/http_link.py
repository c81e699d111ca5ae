"""The HTTP transport from the client's side: a request for each call, live by asking again."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from ssl import SSLContext

from groundwork.strict_json import JsonError
from livesync.client.address import Address, Introduction
from livesync.client.array_splitter import ArraySplitter
from livesync.client.calls import MAX_MESSAGE_BYTES, next_request_id, open_chunk
from livesync.client.errors import ClosedError, LostError, WrongAnswerError
from livesync.client.http_connection import HttpConnection, open_http
from livesync.client.link import Sent
from livesync.client.pause import Pause
from livesync.protocol import answers, requests
from livesync.protocol.answers import Answer, Chunk, Defect, Exit, PulledPage
from livesync.protocol.calls import HTTP_PROCEDURES
from livesync.protocol.errors import RemoteError
from livesync.protocol.events import Cursor, Event


def _nothing() -> None:
    pass


_IDLE_MAX_S = 3.0  # below what servers wait for another request


class HttpLink:
    """A store over HTTP. Connections are kept for a few seconds.

    Args:
        address: of the store.
        ssl_context: for ``https``; None: the system's certificates.
        connect_timeout_s: how long one attempt to connect may take.
        answer_timeout_s: how long the server may be silent while an answer is due.
        poll_interval_s: how often a live pull asks for more.
    """

    def __init__(
        self,
        address: Address,
        *,
        ssl_context: SSLContext | None = None,
        connect_timeout_s: float = 10.0,
        answer_timeout_s: float = 60.0,
        poll_interval_s: float = 5.0,
    ) -> None:
        self._address = address
        self._ssl_context = ssl_context
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._poll_interval_s = poll_interval_s
        self._idle: list[HttpConnection] = []
        self._busy: set[HttpConnection] = set()
        self._is_closed = False
        self._pause = Pause()

    async def push(self, batch: Sequence[Event], backend_id: str, sent: Sent) -> None:
        request_id = next_request_id()
        introduction = self._address.introduce()
        body = requests.push(
            request_id,
            self._address.store_id,
            batch,
            backend_id,
            payload=introduction.payload,
            procedures=HTTP_PROCEDURES,
        )
        async with aclosing(self._ask(introduction, body, request_id, sent)) as chunks:
            async for _ in chunks:
                pass  # a push has none

    async def pull(self, cursor: Cursor | None, *, live: bool) -> AsyncGenerator[PulledPage, None]:
        while True:
            last: PulledPage | None = None
            async with aclosing(self._pull_once(cursor)) as pages:
                async for last in pages:
                    yield last
                    cursor = _behind(cursor, last)
            if last is None:
                raise WrongAnswerError("a pull without a page")
            if not live:
                return
            await self._pause.wait(self._poll_interval_s)

    async def close(self) -> None:
        self._is_closed = True
        self._pause.end()
        for connection in self._busy:
            connection.abort()
        while self._idle:
            await self._idle.pop().close()

    def check_caller(self) -> None:
        """Anybody may."""

    async def _pull_once(self, cursor: Cursor | None) -> AsyncGenerator[PulledPage, None]:
        request_id = next_request_id()
        introduction = self._address.introduce()
        body = requests.pull_over_http(
            request_id, self._address.store_id, cursor, payload=introduction.payload
        )
        async with aclosing(self._ask(introduction, body, request_id)) as chunks:
            async for chunk in chunks:
                for page in open_chunk(chunk.values):
                    yield page

    async def _ask(
        self, introduction: Introduction, body: bytes, request_id: str, sent: Sent = _nothing
    ) -> AsyncGenerator[Chunk, None]:
        """The chunks of the answer to a request, until its good end."""
        async with aclosing(self._answers(introduction, body, sent)) as received:
            try:
                async for answer in received:
                    match answer:
                        case Chunk() if answer.request_id == request_id:
                            yield answer
                        case Exit(answered, error) if answered == request_id:
                            _require_success(error)
                            return
                        case Defect(reason):
                            raise LostError(f"the server could not read something: {reason}")
                        case _:
                            raise WrongAnswerError("an answer to something that was not asked")
            except JsonError as error:
                raise WrongAnswerError(f"an answer that is none: {error}") from error
        raise WrongAnswerError("an answer without an end")

    async def _answers(
        self, introduction: Introduction, body: bytes, sent: Sent
    ) -> AsyncGenerator[Answer, None]:
        connection = await self._connected()
        sent()
        self._busy.add(connection)
        try:
            splitter = ArraySplitter(max_bytes=MAX_MESSAGE_BYTES)
            pieces = connection.post(
                introduction.url, introduction.headers, body, timeout_s=self._answer_timeout_s
            )
            async with aclosing(pieces):
                async for piece in pieces:
                    for item in splitter.feed(piece):
                        yield answers.read_answer(item)
            last = splitter.finish()
            self._keep(connection)
            for item in last:
                yield answers.read_answer(item)
        finally:
            self._busy.discard(connection)
            if connection not in self._idle:
                connection.abort()

    async def _connected(self) -> HttpConnection:
        if self._is_closed:
            raise ClosedError
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable and now - connection.idle_since < _IDLE_MAX_S:
                return connection
            connection.abort()
        return await open_http(
            self._address,
            ssl_context=self._ssl_context,
            connect_timeout_s=self._connect_timeout_s,
        )

    def _keep(self, connection: HttpConnection) -> None:
        if connection.is_usable and not self._is_closed:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)


def _require_success(error: Exception | None) -> None:
    if isinstance(error, RemoteError) and error.leaves_doubt:
        raise LostError(str(error))
    if error is not None:
        raise error


def _behind(cursor: Cursor | None, page: PulledPage) -> Cursor:
    if page.events:
        return page.events[-1].cursor
    return cursor or Cursor(page.backend_id, 0)
