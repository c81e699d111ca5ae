"""A body to the site is small and arrives in time, or goes no further."""

import asyncio
import json
from typing import Any

import pytest

from syncsite import request_body
from syncsite.request_body import BODY_MAX_BYTES, BoundedBody


class Site:
    """An ASGI application that keeps the bodies it gets."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        self.bodies.append(message["body"])
        assert (await receive())["type"] == "http.disconnect"


async def post(
    site: Site, *chunks: bytes, whole: bool = True, headers: Any = ()
) -> tuple[int | None, int]:
    """The status that was answered without the site, and how many chunks were read."""
    sent: list[Any] = []
    read = 0

    async def receive() -> Any:
        nonlocal read
        if read == len(chunks):
            if whole:
                return {"type": "http.disconnect"}
            await asyncio.Event().wait()
        read += 1
        more = not whole or read < len(chunks)
        return {"type": "http.request", "body": chunks[read - 1], "more_body": more}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": "POST", "path": "/admin/", "headers": headers}
    await BoundedBody(site)(scope, receive, send)
    assert not sent or (b"connection", b"close") in sent[0]["headers"]
    return (sent[0]["status"] if sent else None), read


@pytest.mark.parametrize(
    "chunks", [(b"",), (b"a", b"b"), (b"x" * BODY_MAX_BYTES,)], ids=["none", "two", "largest"]
)
async def test_the_site_gets_the_whole_body(chunks: tuple[bytes, ...]) -> None:
    site = Site()

    assert await post(site, *chunks) == (None, len(chunks))
    assert site.bodies == [b"".join(chunks)]


async def test_a_body_that_turns_out_too_large_is_read_no_further() -> None:
    site = Site()
    half = b"x" * (BODY_MAX_BYTES // 2 + 1)

    assert await post(site, half, half, half, half) == (413, 2)
    assert site.bodies == []


@pytest.mark.parametrize("length", [b"%d" % (BODY_MAX_BYTES + 1), b"9" * 19])
async def test_a_body_that_is_announced_too_large_is_not_read(length: bytes) -> None:
    site = Site()

    assert await post(site, b"x", headers=[(b"content-length", length)]) == (413, 0)
    assert site.bodies == []


async def test_the_api_tells_it_in_the_form_of_its_errors() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": "/below/api/chat/v1/get",
        "root_path": "/below",
        "headers": [(b"content-length", b"9" * 19)],
    }
    await BoundedBody(Site())(scope, _nothing, send)

    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"])["error"]["code"] == "too_large"


async def _nothing() -> Any:
    raise AssertionError("the body is not read")


async def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_TIMEOUT_S", 0.01)
    site = Site()

    assert await post(site, b"x", whole=False) == (408, 1)
    assert site.bodies == []


async def test_a_client_that_leaves_gets_no_answer() -> None:
    site = Site()

    assert await post(site) == (None, 0)
    assert site.bodies == []


def test_the_served_site_is_bounded() -> None:
    from syncsite.asgi import application

    assert isinstance(application.site, BoundedBody)
