"""How large the body of a request to the site may be, and how long it may take.

Django writes a body to disk before it looks at anything else, whatever its size and whoever sends
it. Nothing on the site takes more than a form.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from syncsite.asgi_types import Application, Receive, Scope, Send
from syncsite.plain_answers import answer, answer_json
from syncsite.sync_handler import BODY_TIMEOUT_S, ClientLeftError, read_body

BODY_MAX_BYTES = 2_621_440
"""As much as Django itself takes for a form (``DATA_UPLOAD_MAX_MEMORY_SIZE``)."""

API_PREFIX = "/api/"

CLOSE = (b"connection", b"close")  # nobody reads the rest of such a body


@dataclass(frozen=True, slots=True)
class BoundedBody:
    """Hands a request to the application once its body is there, whole; else 413 or 408."""

    application: Application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if announced_bytes(scope) > BODY_MAX_BYTES:
            await _refuse_size(scope, send)
            return
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await read_body(receive, max_bytes=BODY_MAX_BYTES)
        except ClientLeftError:
            return
        except TimeoutError:
            await answer(scope, send, 408, "The request body did not arrive in time", CLOSE)
            return
        if len(body) > BODY_MAX_BYTES:
            await _refuse_size(scope, send)
        else:
            await self.application(scope, _replay(body, receive), send)


def announced_bytes(scope: Scope) -> int:
    """The Content-Length; 0 without a number there."""
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    # more digits than these are too many for `int`, and the server has refused them already
    return max((int(value) for value in values if value.isdigit() and len(value) < 20), default=0)


async def _refuse_size(scope: Scope, send: Send) -> None:
    if scope["path"].removeprefix(scope.get("root_path", "")).startswith(API_PREFIX):
        # programs read the errors of the API, and one form is enough for them
        error = {"code": "too_large", "message": f"the body has more than {BODY_MAX_BYTES:,} bytes"}
        await answer_json(scope, send, 413, {"error": error}, CLOSE)
    else:
        await answer(scope, send, 413, "The request body is too large", CLOSE)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return messages.pop() if messages else await receive()

    return receive_again
