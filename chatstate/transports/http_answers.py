"""Answers over HTTP: a body as it comes, streamed if it is long; a refusal with its status."""

from collections.abc import AsyncIterator, Sequence

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from chatstate.protocol import messages
from chatstate.protocol.errors import ChatstateError, PassingError
from chatstate.protocol.messages import Refused
from chatstate.protocol.operations import GetList, Operation
from chatstate.services.long_lists import in_parts, read_on
from chatstate.storage.jobs import Result
from chatstate.storage.steps import Piece

JSON = "application/json"
RETRY_AFTER_S = 1

STATUSES = {
    "malformed": 400,
    "invalid": 400,
    "unknown_shard": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "unknown_operation": 404,
    "conflict": 409,
    "too_large": 413,
    "internal": 500,
    "busy": 503,
    "frozen": 503,
    "unavailable": 503,
}
"""The status for each code."""

_CHUNK_CHARS = 256 * 1024
"""A body goes out in chunks of about this size, as far as each of its items is smaller itself."""


def refuse(error: ChatstateError, *, status: int | None = None) -> HttpResponse:
    """Tell an error; with the status of its code unless another is given."""
    response = HttpResponse(
        messages.failure(error), status=status or STATUSES[error.code], content_type=JSON
    )
    if isinstance(error, PassingError):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def one_answer(namespace: str, operation: Operation, result: Result) -> AsyncIterator[str]:
    """The body for one operation: an object with ``value`` or ``items``."""
    return _texts(namespace, operation, result, head="{", list_end="]}")


async def many_answers(
    namespace: str, outcomes: Sequence[tuple[Operation | Refused, Result]]
) -> AsyncIterator[str]:
    """The body for a batch: an array with an answer for each of its operations, in their order."""
    yield "["
    for number, (asked, result) in enumerate(outcomes):
        head = f'{"," if number else ""}{{"id":{asked.id},'
        async for text in _texts(namespace, asked, result, head=head, list_end='],"more":false}'):
            yield text
    yield "]"


async def respond(texts: AsyncIterator[str]) -> HttpResponseBase:
    """Answer with the texts: as one body, or as a stream if there is more than a chunk of them."""
    chunks = _in_chunks(texts)
    first = await anext(chunks)
    second = await anext(chunks, None)
    if second is None:
        return HttpResponse(first, content_type=JSON)
    return StreamingHttpResponse(_chained([first, second], chunks), content_type=JSON)


async def _texts(
    namespace: str, asked: Operation | Refused, result: Result, *, head: str, list_end: str
) -> AsyncIterator[str]:
    if isinstance(result, str):
        yield f'{head}"value":{result}}}'
        return
    if isinstance(result, ChatstateError):
        yield f"{head}{messages.failure(result)[1:]}"
        return
    assert isinstance(asked, GetList)
    yield f'{head}"items":['
    try:
        async for text in _items(namespace, asked, result):
            yield text
    except ChatstateError as error:
        # too late for another status: what is there of the list, and why it ends
        yield f"],{messages.failure(error)[1:]}"
    else:
        yield list_end


async def _items(namespace: str, operation: GetList, first: Piece) -> AsyncIterator[str]:
    separator = ""
    async for piece in read_on(namespace, operation, first):
        for items in in_parts(piece.items, max_chars=_CHUNK_CHARS):
            if items:
                yield f"{separator}{','.join(items)}"
                separator = ","


async def _in_chunks(texts: AsyncIterator[str]) -> AsyncIterator[str]:
    waiting: list[str] = []
    size = 0
    async for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= _CHUNK_CHARS:
            yield "".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield "".join(waiting)


async def _chained(first: list[str], rest: AsyncIterator[str]) -> AsyncIterator[str]:
    while first:
        yield first.pop(0)
    async for chunk in rest:
        yield chunk
