"""Answers in plain text, without Django."""

from syncsite.asgi_types import Receive, Scope, Send

_REFUSED_CLOSE_CODE = 4400  # never sent: a close before the accept becomes HTTP 403


async def answer(
    scope: Scope, send: Send, status: int, text: str, *headers: tuple[bytes, bytes]
) -> None:
    """Answer an HTTP request; further ``headers`` have their names in lower case."""
    body = text.encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*_headers(body), *headers],
        }
    )
    content = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": content, "more_body": False})


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


def _headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
