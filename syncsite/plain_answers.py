"""Answers in plain text or JSON, without Django."""

import json

from syncsite.asgi_types import Receive, Scope, Send

_PLAIN = b"text/plain; charset=utf-8"
_REFUSED_CLOSE_CODE = 4400  # never sent: a close before the accept becomes HTTP 403


async def answer(
    scope: Scope, send: Send, status: int, text: str, *headers: tuple[bytes, bytes]
) -> None:
    """Answer an HTTP request; further ``headers`` have their names in lower case."""
    await _answer(scope, send, status, text.encode(), [*_headers(text.encode()), *headers])


async def answer_json(
    scope: Scope, send: Send, status: int, document: object, *headers: tuple[bytes, bytes]
) -> None:
    """Answer an HTTP request with a JSON document."""
    body = json.dumps(document).encode()
    await _answer(scope, send, status, body, [*_headers(body, b"application/json"), *headers])


async def refuse_websocket(
    scope: Scope,
    receive: Receive,
    send: Send,
    status: int,
    text: str,
) -> None:
    """Refuse a WebSocket; with the status and text where the server can, else as it does."""
    await receive()  # websocket.connect
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": _REFUSED_CLOSE_CODE, "reason": None})
        return
    body = text.encode()
    await send(
        {"type": "websocket.http.response.start", "status": status, "headers": _headers(body)}
    )
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})


async def _answer(
    scope: Scope, send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    content = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": content, "more_body": False})


def _headers(body: bytes, content_type: bytes = _PLAIN) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
