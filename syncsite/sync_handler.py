"""Django's ASGI handler for sync requests over HTTP, without what they do not need.

The stock handler starts a thread for each request and makes a hop into it for each signal and each
middleware, which leaves about 2,000 requests per second. Sync requests need no middleware and no
request signals (their database connections look after themselves), and get five times that.
"""

import asyncio
import io
from contextlib import suppress
from typing import Any

from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.exception import convert_exception_to_response
from django.http.response import HttpResponse, HttpResponseBase
from django.urls import set_script_prefix

from livesync.conf import get_settings
from livesync.transports.cors import asgi_origin_headers
from syncsite.asgi_types import Receive, Scope, Send
from syncsite.plain_answers import answer

URLCONF = "syncsite.sync_urls"
BODY_TIMEOUT_S = 30.0


class ClientLeftError(Exception):
    """The client closed the connection before its request was complete."""


class SyncHandler(ASGIHandler):
    """Answers on a URLconf of its own, which holds nothing but livesync."""

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._middleware_chain = convert_exception_to_response(
            self._get_response_async  # type: ignore[attr-defined] # the stubs leave it out
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = get_settings().frame_max_bytes
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await read_body(receive, max_bytes=limit)
        except ClientLeftError:
            return
        except TimeoutError:
            told = "The request body did not arrive in time"
            await answer(scope, send, 408, told, *asgi_origin_headers(scope))
            return
        await self._answer(scope, body, receive, send)

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        set_script_prefix(get_script_prefix(scope))
        request, refusal = self.create_request(scope, io.BytesIO(body))
        if request is None:
            assert refusal is not None
            await self.send_response(refusal, send)
            return
        request.urlconf = URLCONF
        response = await self.get_response_async(request)
        try:
            if isinstance(response, HttpResponse):
                response.headers.setdefault("Content-Length", str(len(response.content)))
                await self.send_response(response, send)
            else:
                await self._stream(response, receive, send)
        finally:
            response.close()

    async def _stream(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        """Send the response until it ends or the client leaves."""
        sending = asyncio.ensure_future(self.send_response(response, send))
        leaving = asyncio.ensure_future(wait_until_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


async def read_body(receive: Receive, *, max_bytes: int) -> bytes:
    """Read a request's body; of one longer than ``max_bytes`` just enough to show that it is.

    The view refuses such a body, and so in its own form.

    Raises:
        ClientLeftError: the client closed the connection.
    """
    chunks: list[bytes] = []
    length = 0
    while length <= max_bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        chunk = message.get("body", b"")
        chunks.append(chunk)
        length += len(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)[: max_bytes + 1]


async def wait_until_left(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
