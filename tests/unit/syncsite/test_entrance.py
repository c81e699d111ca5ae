"""Who answers a request, by path and query."""

from typing import Any

import pytest
from pytest_django import Settings

from syncsite.entrance import INFO, INVALID_HOST, INVALID_PATH, Entrance

SYNC = b"storeId=a&transport=http"
CORS = b"access-control-allow-origin"
LOCAL = [(b"host", b"localhost:8000")]


class Recorder:
    """An ASGI application that remembers whether it was asked."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])


class Door:
    """An entrance with five recorders behind it."""

    def __init__(self) -> None:
        self.site, self.sync_http, self.sync_websocket = Recorder(), Recorder(), Recorder()
        self.rpc_websocket, self.chat_websocket = Recorder(), Recorder()
        self.entrance = Entrance(
            site=self.site,
            sync_http=self.sync_http,
            sync_websocket=self.sync_websocket,
            rpc_websocket=self.rpc_websocket,
            chat_websocket=self.chat_websocket,
        )
        self.sent: list[dict[str, Any]] = []

    async def http(self, path: str, query: bytes = b"", method: str = "GET", **more: Any) -> None:
        await self._call({"type": "http", "method": method}, path, query, more)

    async def websocket(self, path: str, query: bytes = b"", **more: Any) -> None:
        await self._call({"type": "websocket", "extensions": None}, path, query, more)

    async def _call(
        self, scope: dict[str, Any], path: str, query: bytes, more: dict[str, Any]
    ) -> None:
        given = {"path": path, "query_string": query, "headers": LOCAL, "root_path": ""}
        await self.entrance(scope | given | more, self._receive, self._send)  # type: ignore[arg-type]

    async def _receive(self) -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def answer(self) -> tuple[int, bytes]:
        start, body = self.sent
        return start["status"], body["body"]


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.mark.parametrize(
    "path",
    [
        *("/admin/", "/admin", "//admin/", "/static/x.css", "/static/../x", "/api/x", "/demo/"),
        *("/healthz/", "/readyz", "/metrics", "/favicon.ico"),
    ],
)
@pytest.mark.parametrize("query", [b"", SYNC])
async def test_a_reserved_path_is_the_sites_whatever_the_query(
    door: Door, path: str, query: bytes
) -> None:
    await door.http(path, query)

    assert door.site.paths == [path]
    assert door.sync_http.paths == []


async def test_health_is_told_without_django(door: Door) -> None:
    await door.http("/healthz", SYNC)

    assert door.answer == (200, b'{"status": "ok", "bus": "memory"}')
    assert (b"content-type", b"application/json") in door.sent[0]["headers"]
    assert door.site.paths == []


@pytest.mark.parametrize("path", ["/", "/any/where", "/administrator", "/healthz2", "/ü"])
@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS", "DELETE"])
async def test_a_sync_query_on_any_other_path_goes_to_livesync(
    door: Door, path: str, method: str
) -> None:
    await door.http(path, SYNC, method)

    assert door.sync_http.paths == [path]


@pytest.mark.parametrize("query", [b"", SYNC])
async def test_the_path_of_rpc_is_livesyncs_whatever_the_query(door: Door, query: bytes) -> None:
    await door.http("/api/sync/v1/rpc", query, "POST")
    await door.websocket("/api/sync/v1/rpc", query)

    assert door.sync_http.paths == door.rpc_websocket.paths == ["/api/sync/v1/rpc"]
    assert door.site.paths == door.sync_websocket.paths == []


async def test_a_websocket_with_a_sync_query_goes_to_livesync(door: Door) -> None:
    await door.websocket("/any", b"storeId=a&transport=ws")

    assert door.sync_websocket.paths == ["/any"]


@pytest.mark.parametrize("query", [b"", b"storeId=a", b"transport=http", b"storeId=a&transport=x"])
async def test_the_root_tells_what_is_here(door: Door, query: bytes) -> None:
    await door.http("/", query)

    assert door.answer == (200, INFO.encode())
    assert (b"content-type", b"text/plain; charset=utf-8") in door.sent[0]["headers"]


@pytest.mark.parametrize(
    ("path", "method", "query"),
    [
        ("/x", "GET", b""),
        ("/", "POST", b""),
        ("/x", "POST", b"storeId=a"),
        ("/x", "GET", b"storeId=a&storeId=b&transport=http"),
        ("/x", "GET", b"storeId=a&transport=do-rpc"),
        ("/x", "GET", b"storeId=%ff&transport=http"),
        ("/x", "GET", b"storeId=" + b"a" * 513 + b"&transport=http"),
    ],
)
async def test_everything_else_is_an_invalid_path(
    door: Door, path: str, method: str, query: bytes
) -> None:
    await door.http(path, query, method)

    assert door.answer == (400, INVALID_PATH.encode())
    assert not door.site.paths + door.sync_http.paths


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"evil.example")],
        [(b"host", b"localhost.evil.example")],
        [(b"host", b"localhost"), (b"host", b"localhost")],
        [(b"host", b"localhost"), (b"host", b"evil.example")],
        [(b"host", b"local\xffhost")],
        [(b"host", b"")],
    ],
)
@pytest.mark.parametrize("path", ["/", "/admin/", "/healthz"])
async def test_a_wrong_host_is_refused_before_livesync_and_the_site(
    door: Door, headers: list[tuple[bytes, bytes]], path: str
) -> None:
    await door.http(path, SYNC, "POST", headers=headers)

    assert door.answer == (400, INVALID_HOST.encode())
    assert door.sync_http.paths + door.site.paths == []


@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST:1", b"127.0.0.1:8000", b"[::1]:8000"])
async def test_this_machine_is_an_allowed_host_in_development(door: Door, host: bytes) -> None:
    await door.http("/", SYNC, "POST", headers=[(b"host", host)])

    assert door.sync_http.paths == ["/"]


@pytest.mark.parametrize(
    ("path", "query", "headers"),
    [
        ("/", b"", LOCAL),
        ("/", b"storeId=a", LOCAL),
        ("/admin/", b"storeId=a&transport=ws", LOCAL),
        ("/", b"storeId=a&transport=ws", [(b"host", b"evil.example")]),
    ],
)
async def test_another_websocket_is_refused_with_a_status(
    door: Door, path: str, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    extensions: dict[str, Any] = {"websocket.http.response": {}}
    await door.websocket(path, query, headers=headers, extensions=extensions)

    assert door.answer[0] == 400
    assert door.sync_websocket.paths == []


async def test_a_server_that_cannot_answer_a_handshake_closes_it(door: Door) -> None:
    await door.websocket("/", b"")

    assert [message["type"] for message in door.sent] == ["websocket.close"]


async def test_a_mounted_site_looks_at_the_path_below_its_prefix(door: Door) -> None:
    await door.http("/prefix/admin/", root_path="/prefix")
    await door.http("/admin/", SYNC, root_path="/other")

    assert door.site.paths == ["/prefix/admin/", "/admin/"]


async def test_a_head_request_gets_no_body(door: Door) -> None:
    await door.http("/", method="HEAD")

    assert door.answer == (200, b"")


async def test_the_servers_start_and_stop_are_acknowledged(door: Door) -> None:
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    await door.entrance({"type": "lifespan"}, receive, door._send)  # type: ignore[typeddict-item]

    assert [message["type"] for message in door.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_bots_connect_to_a_path_of_their_own(door: Door) -> None:
    await door.websocket("/api/chat/v1/socket")

    assert door.chat_websocket.paths == ["/api/chat/v1/socket"]
    assert door.sync_websocket.paths == []


@pytest.mark.parametrize(
    ("cors", "origin", "headers"),
    [
        (True, "https://app.example", {b"vary": b"Origin", CORS: b"https://app.example"}),
        (True, "https://evil.example", {b"vary": b"Origin"}),
        (False, "https://app.example", {}),
    ],
)
async def test_a_page_may_read_that_its_url_is_wrong(
    door: Door, settings: Settings, cors: bool, origin: str, headers: dict[bytes, bytes]
) -> None:
    settings.LIVESYNC = {"cors": cors, "allowed_origins": ("https://app.example",)}

    await door.http("/", b"storeId=a", "POST", headers=[*LOCAL, (b"origin", origin.encode())])

    assert door.answer == (400, INVALID_PATH.encode())
    sent = dict(door.sent[0]["headers"])
    assert {name: sent[name] for name in (b"vary", CORS) if name in sent} == headers
