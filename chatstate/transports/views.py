"""The operations over HTTP, for scripts and people: one request, one operation or one batch."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.schemas.inspectors import ViewInspector

from chatstate.conf import get_settings
from chatstate.protocol import messages
from chatstate.protocol.errors import (
    ChatstateError,
    ForbiddenError,
    InternalError,
    MalformedError,
    TooLargeError,
    UnknownOperationError,
)
from chatstate.protocol.messages import Refused
from chatstate.protocol.operations import Operation, name_of
from chatstate.services.execute import execute
from chatstate.services.tokens import Principal
from chatstate.transports import openapi
from chatstate.transports.authentication import BearerAuthentication, principal_of
from chatstate.transports.http_answers import JSON, many_answers, one_answer, refuse, respond
from groundwork.async_api import AsyncAPIView
from groundwork.strict_json import JsonError, decode_utf8

logger = logging.getLogger(__name__)


class ChatView(AsyncAPIView):
    """What the views have in common: who asks is known before anything is read; how errors look."""

    authentication_classes: Sequence[type[BaseAuthentication]] = (BearerAuthentication,)
    permission_classes = ()
    throttle_classes = ()
    renderer_classes = (JSONRenderer,)
    http_method_names = ["post"]
    schema: ViewInspector | None = None

    async def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Carry out what the body asks for."""
        return await self.answer(request, await principal_of(request))

    async def answer(self, request: Request, principal: Principal) -> HttpResponseBase:
        """Answer one who is known.

        Raises:
            ChatstateError: nothing was done, but for ``UnavailableError``.
        """
        raise NotImplementedError  # the views below do, each for its body

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override] # its dispatch takes any response
        """Tell every error in the protocol's form."""
        if isinstance(exc, ChatstateError):
            response = refuse(exc)
        elif isinstance(exc, APIException):
            response = refuse(MalformedError(str(exc.detail)), status=exc.status_code)
        else:
            logger.error("a request failed", exc_info=exc)
            response = refuse(InternalError())
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = self.get_authenticate_header(self.request)
        return response


class OperationView(ChatView):
    """One operation; the body holds its members."""

    operation: ClassVar[type[Operation]] = Operation
    schema = openapi.OperationSchema()

    async def answer(self, request: Request, principal: Principal) -> HttpResponseBase:
        if self.operation.right not in principal.rights:
            raise ForbiddenError(self.operation.right)
        name = name_of(self.operation)
        operation = messages.read_members(name, _read_body(request))
        (result,) = await execute(principal.namespace, [operation])
        if isinstance(result, ChatstateError):
            raise result
        return await respond(one_answer(principal.namespace, operation, result))


class BatchView(ChatView):
    """Many operations, as a frame of the socket has them; each has its own answer."""

    schema = openapi.BatchSchema()

    async def answer(self, request: Request, principal: Principal) -> HttpResponseBase:
        found = messages.read_operations(
            _read_body(request), max_operations=get_settings().operations_per_frame
        )
        refusals = [_refusal(asked, principal) for asked in found]
        wanted = [asked for asked in found if isinstance(asked, Operation)]
        wanted = [asked for asked in wanted if asked.right in principal.rights]
        results = iter(await execute(principal.namespace, wanted))
        outcomes = [
            (asked, refusal or next(results))
            for asked, refusal in zip(found, refusals, strict=True)
        ]
        return await respond(many_answers(principal.namespace, outcomes))


class UnknownOperationView(ChatView):
    """Every other path."""

    async def answer(self, request: Request, principal: Principal) -> HttpResponseBase:
        raise UnknownOperationError(self.kwargs.get("name", ""))


class SchemaView(ChatView):
    """The description of all this, in OpenAPI's form, for whoever wants it."""

    authentication_classes = ()
    http_method_names = ["get", "head"]

    async def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Describe the operations; they are the same in every installation but for the limits."""
        prefix = request.path.removesuffix("schema").lstrip("/")
        return HttpResponse(openapi.describe(prefix), content_type=JSON)


def _refusal(asked: Operation | Refused, principal: Principal) -> ChatstateError | None:
    if isinstance(asked, Refused):
        return asked.error
    return None if asked.right in principal.rights else ForbiddenError(asked.right)


def _read_body(request: Request) -> str:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("", "a compressed body is not read")
    if request.content_type.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType("", f"the body must be {JSON}")
    limit = get_settings().frame_max_bytes
    # not .body, which has a limit of its own, for forms
    body = request._request.read(limit + 1)
    if len(body) > limit:
        raise TooLargeError("the body", limit=limit, unit="bytes")
    try:
        return decode_utf8(body)
    except JsonError as error:
        raise MalformedError(f"the body is {error}") from None
