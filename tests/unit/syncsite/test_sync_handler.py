"""Sync requests over HTTP, on Django but past its middleware."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import re_path
from pytest_django import Settings

from syncsite import sync_handler
from syncsite.sync_handler import SyncHandler

LIMIT = 1_048_576


class Client:
    """One HTTP request; what it sends is given as ASGI messages."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in messages:
            self.messages.put_nowait(message)
        self.sent: list[dict[str, Any]] = []
        self.first_body = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body":
            self.first_body.set()

    def leave(self) -> None:
        self.messages.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:] if "body" in message)


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


async def call(client: Client, monkeypatch: pytest.MonkeyPatch, view: Any) -> None:
    # an URLconf may be a sequence of patterns instead of a module's name
    monkeypatch.setattr(sync_handler, "URLCONF", (re_path(r"", view),))
    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": "/any",
        "query_string": b"storeId=a&transport=http",
        "headers": [(b"host", b"localhost")],
        "root_path": "",
    }
    await SyncHandler()(scope, client.messages.get, client.send)  # type: ignore[arg-type]


async def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


async def test_the_view_gets_the_whole_body(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(body(b"one ", more=True), body(b"two"))

    await call(client, monkeypatch, echo)

    assert (client.status, client.body) == (200, b"one two")
    assert client.headers[b"Content-Length"] == b"7"


async def test_the_view_runs_in_the_loops_own_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(threading.get_ident()))

    client = Client(body())
    await call(client, monkeypatch, view)

    assert client.body == str(threading.get_ident()).encode()


@pytest.mark.parametrize(("length", "seen"), [(LIMIT, LIMIT), (LIMIT + 1, LIMIT + 1)])
async def test_of_a_body_too_long_the_view_sees_that_it_is(
    monkeypatch: pytest.MonkeyPatch, length: int, seen: int
) -> None:
    async def measure(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(len(request.body)))

    client = Client(body(b"x" * length, more=True), body(b""))
    await call(client, monkeypatch, measure)

    assert client.body == str(seen).encode()


async def test_an_endless_body_is_not_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = body(b"x" * 65_536, more=True)
    client = Client(*[chunk] * 64)

    await call(client, monkeypatch, echo)

    assert len(client.body) == LIMIT + 1
    assert client.messages.qsize() > 40


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_handler, "BODY_TIMEOUT_S", 0.0)
    client = Client(body(b"x", more=True))

    await call(client, monkeypatch, echo)

    assert client.status == 408


async def test_a_page_may_read_that_its_body_did_not_come(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.LIVESYNC = {"cors": True, "allowed_origins": ("*",)}
    monkeypatch.setattr(sync_handler, "BODY_TIMEOUT_S", 0.0)
    client = Client(body(b"x", more=True))

    await call(client, monkeypatch, echo)

    assert (b"access-control-allow-origin", b"*") in client.sent[0]["headers"]


async def test_a_client_that_left_early_gets_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(body(b"x", more=True), {"type": "http.disconnect"})

    await call(client, monkeypatch, echo)

    assert client.sent == []


async def test_a_stream_is_sent_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(pieces())

    client = Client(body())
    await call(client, monkeypatch, view)

    assert client.body == b"one two"
    assert client.sent[-1].get("more_body", False) is False


async def test_a_stream_ends_when_its_client_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(pieces())

    client = Client(body())
    calling = asyncio.create_task(call(client, monkeypatch, view))
    await client.first_body.wait()
    client.leave()
    await calling

    assert ended.is_set()


async def test_a_fault_in_the_view_is_a_plain_500(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DEBUG = False

    async def view(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError("CANARY")

    client = Client(body())
    await call(client, monkeypatch, view)

    assert client.status == 500
    assert b"CANARY" not in client.body
