"""The HTTP transport: one request, its answers as one JSON array."""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from groundwork.async_api import AsyncAPIView
from groundwork.strict_json import JsonError, decode_utf8
from livesync.conf import get_settings
from livesync.protocol import rpc
from livesync.protocol.binding import Binding
from livesync.protocol.calls import HTTP_PROCEDURES
from livesync.protocol.errors import CommitUnknownError
from livesync.protocol.rpc import Malformed, Message, TooMany
from livesync.services.connection import Connection
from livesync.transports import cors
from livesync.transports.access import AccessRefusedError, check_access, read_sync_request
from livesync.transports.answers import Asked, Framing, carry_out, read_calls, speaks_for_another

logger = logging.getLogger(__name__)

_OUTCOME_UNKNOWN = "the outcome of the push is not known"


class SyncView(AsyncAPIView):
    """Answers sync requests on any path; the query names the store."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    http_method_names = ["post", "options"]

    procedures = HTTP_PROCEDURES
    media_type = "application/json"
    answer_type = media_type
    frame_page: Framing = staticmethod(rpc.chunk)

    async def post(self, request: Request) -> HttpResponseBase:
        """Carry out the messages of the body; a pull's pages are streamed."""
        url = self.sync_request
        connection = Connection(await check_access(url, _scope(request)))
        messages = await self.read_messages(_read_body(request, self.media_type))
        _refuse_too_many(messages)
        binding = Binding(url.store_id, url.payload)
        asked = read_calls(messages, procedures=self.procedures, binding=binding)
        if speaks_for_another(asked, url.store_id):
            raise AccessRefusedError(
                403, "the request speaks for another store or payload than its URL"
            )
        return await self.respond(asked, connection)

    async def read_messages(self, body: bytes) -> list[Message]:
        """Read the body."""
        try:
            return rpc.read_messages(decode_utf8(body))
        except JsonError as error:
            return [Malformed(f"not a message: {error}")]

    async def respond(self, asked: Sequence[Asked], connection: Connection) -> HttpResponseBase:
        """One body if there is one page or none; a stream, whose length nobody knows, for more."""
        answers = carry_out(asked, connection, frame_page=self.frame_page)
        first: list[str] = []
        async for answer in answers:
            first.append(answer)
            if len(first) > 2:
                stream = self.stream(first, answers)
                return StreamingHttpResponse(stream, content_type=self.answer_type)
        return HttpResponse(self.whole(first), content_type=self.answer_type)

    def whole(self, answers: Sequence[str]) -> str | bytes:
        """All answers in one body."""
        return f"[{','.join(answers)}]"

    async def stream(
        self, first: list[str], rest: AsyncIterator[str]
    ) -> AsyncIterator[str | bytes]:
        """The same in pieces; ``first`` is taken apart."""
        yield f"[{first.pop(0)}"
        while first:  # one by one, so that a client that reads slowly has one page here
            yield f",{first.pop(0)}"
        try:
            async for answer in rest:
                yield f",{answer}"
        except CommitUnknownError:
            # too late for another status; a defect answers no request
            yield f",{rpc.defect(_OUTCOME_UNKNOWN)}"
        yield "]"

    async def options(  # type: ignore[override] # its dispatch awaits the handlers
        self, request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Answer a preflight, where CORS is on."""
        if not get_settings().cors:
            return self.http_method_not_allowed(request)
        return cors.preflight()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Read the URL; one that belongs on a WebSocket is refused whatever the method."""
        super().initial(request, *args, **kwargs)
        sync_request = read_sync_request(_scope(request)["query_string"])
        if sync_request is None:
            raise AccessRefusedError(400, "Invalid path")
        if sync_request.transport == "ws":
            raise AccessRefusedError(426, "Durable Object expected Upgrade: websocket")
        self.sync_request = sync_request

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override] # ditto
        """Tell refusals as plain text."""
        if isinstance(exc, AccessRefusedError):
            return _plain(exc.status, str(exc))
        if isinstance(exc, CommitUnknownError):
            # neither yes nor no would be true; the client finds out by pushing again
            return _plain(503, _OUTCOME_UNKNOWN)
        if isinstance(exc, APIException):
            return super().handle_exception(exc)
        logger.error("a sync request failed", exc_info=exc)
        return _plain(500, "the server failed")

    def finalize_response(  # type: ignore[override] # no Response of DRF's is made here
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Put on the headers that every sync answer has, refusals included."""
        super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type] # ditto
        for name, value in get_settings().response_headers.items():
            response.headers[name] = value
        cors.name_origin(response, request.headers.get("Origin"))
        return response


def _read_body(request: Request, media_type: str) -> bytes:
    limit = get_settings().frame_max_bytes
    # not .body, which has a limit of its own, for forms
    body: bytes = request._request.read(limit + 1)
    if len(body) > limit:
        raise AccessRefusedError(413, f"a body has at most {limit} bytes")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise AccessRefusedError(415, "compressed bodies are not read")
    if request.content_type.partition(";")[0].strip().lower() != media_type:
        raise AccessRefusedError(415, f"the body must be {media_type}")
    return body


def _refuse_too_many(messages: Sequence[Message]) -> None:
    for message in messages:
        if isinstance(message, TooMany):
            raise AccessRefusedError(400, message.reason)


def _scope(request: Request) -> dict[str, Any]:
    scope: dict[str, Any] = request._request.scope  # type: ignore[attr-defined] # an ASGIRequest
    return scope


def _plain(status: int, text: str) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
