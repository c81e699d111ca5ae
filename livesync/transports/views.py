"""The HTTP transport: one request, its answers as one JSON array."""

import logging
from collections.abc import AsyncIterator
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
from livesync.protocol.calls import (
    HTTP_PROCEDURES,
    Call,
    PingCall,
    Pull,
    Push,
    Refused,
    read_call,
)
from livesync.protocol.errors import CommitUnknownError, LivesyncError
from livesync.protocol.messages import PING_ANSWER, PUSH_ACK, Limits
from livesync.protocol.rpc import Malformed, Message, Ping, TooMany
from livesync.services.connection import Connection
from livesync.transports import cors
from livesync.transports.access import AccessRefusedError, check_access, read_sync_request

logger = logging.getLogger(__name__)

_JSON = "application/json"
_OUTCOME_UNKNOWN = "the outcome of the push is not known"


class SyncView(AsyncAPIView):
    """Answers sync requests on any path; the query names the store."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    http_method_names = ["post", "options"]

    async def post(self, request: Request) -> HttpResponseBase:
        """Carry out the messages of the body; a pull's pages are streamed."""
        url = self.sync_request
        connection = Connection(await check_access(url, _scope(request)))
        calls = _read_calls(_read_body(request), Binding(url.store_id, url.payload))
        return await _respond(_answers(calls, connection))

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


def _read_body(request: Request) -> list[Message]:
    limit = get_settings().frame_max_bytes
    # not .body, which has a limit of its own, for forms
    body = request._request.read(limit + 1)
    if len(body) > limit:
        raise AccessRefusedError(413, f"a body has at most {limit} bytes")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise AccessRefusedError(415, "compressed bodies are not read")
    if request.content_type.partition(";")[0].strip().lower() != _JSON:
        raise AccessRefusedError(415, f"the body must be {_JSON}")
    try:
        messages = rpc.read_messages(decode_utf8(body))
    except JsonError as error:
        return [Malformed(f"not a message: {error}")]
    for message in messages:
        if isinstance(message, TooMany):
            raise AccessRefusedError(400, message.reason)
    return messages


def _read_calls(messages: list[Message], binding: Binding) -> list[Call | Refused | Ping]:
    settings = get_settings()
    limits = Limits(settings.field_max_bytes, settings.args_max_depth, settings.payload_max_depth)
    calls: list[Call | Refused | Ping] = []
    for message in messages:
        match message:
            case Ping():
                calls.append(message)
            case Malformed() | TooMany():
                calls.append(Refused(message.answer))
            case rpc.Request():
                calls.append(
                    read_call(message, procedures=HTTP_PROCEDURES, binding=binding, limits=limits)
                )
    if any(isinstance(call, Refused) and call.close for call in calls):
        logger.warning(
            "a request to store %r speaks for another store or payload than its URL",
            binding.store_id,
        )
        raise AccessRefusedError(
            403, "the request speaks for another store or payload than its URL"
        )
    return calls


async def _respond(answers: AsyncIterator[str]) -> HttpResponseBase:
    """One body if there is one page or none; a stream, whose length nobody knows, for more."""
    first: list[str] = []
    async for answer in answers:
        first.append(answer)
        if len(first) > 2:
            return StreamingHttpResponse(_as_array(first, answers), content_type=_JSON)
    return HttpResponse(f"[{','.join(first)}]", content_type=_JSON)


async def _as_array(first: list[str], rest: AsyncIterator[str]) -> AsyncIterator[str]:
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


async def _answers(
    calls: list[Call | Refused | Ping], connection: Connection
) -> AsyncIterator[str]:
    for call in calls:
        match call:
            case Ping():
                yield rpc.PONG
            case Refused(frame):
                yield frame
            case PingCall(request_id):
                yield rpc.exit_success(request_id, PING_ANSWER)
            case Push():
                yield await _push(call, connection)
            case Pull():
                async for answer in _pull(call, connection):
                    yield answer


async def _push(push: Push, connection: Connection) -> str:
    try:
        await connection.push(push, retry_for_s=get_settings().retry_budget_s)
    except CommitUnknownError:
        raise
    except LivesyncError as error:
        return rpc.exit_fail(push.request_id, error)
    except Exception as error:
        logger.exception("a push failed")
        return rpc.exit_fail(push.request_id, error)
    return rpc.exit_success(push.request_id, PUSH_ACK)


async def _pull(pull: Pull, connection: Connection) -> AsyncIterator[str]:
    budget_s = get_settings().retry_budget_s
    try:
        async for page in connection.pull(pull, retry_for_s=budget_s):
            yield rpc.chunk(pull.request_id, page.text)
    except LivesyncError as error:
        yield rpc.exit_fail(pull.request_id, error)
    except Exception as error:
        logger.exception("a pull of store %r failed", connection.store_id)
        yield rpc.exit_fail(pull.request_id, error)
    else:
        yield rpc.exit_success(pull.request_id)


def _scope(request: Request) -> dict[str, Any]:
    scope: dict[str, Any] = request._request.scope  # type: ignore[attr-defined] # an ASGIRequest
    return scope


def _plain(status: int, text: str) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
