"""Who answers a request, decided by path and query before Django sees it.

The admin, the API and static files keep their own paths. On every other path the search parameters
alone decide, as with the original: a valid sync query goes to livesync, whatever the path. RPC, to
which the original has no path, has one of the reserved.

Source: LiveStore sync-cf 0.4.0, ``cf-worker/worker.ts`` (``makeWorker``).
"""

import asyncio
from dataclasses import dataclass

from chatstate.transports.routing import PATH as CHAT_PATH
from livesync.services.announcer import get_announcer
from livesync.transports.access import read_sync_request
from livesync.transports.cors import asgi_origin_headers
from livesync.transports.routing import RPC_PATH
from syncsite.asgi_types import Application, Receive, Scope, Send
from syncsite.health import answer_health
from syncsite.hosts import is_host_allowed
from syncsite.plain_answers import answer, refuse_websocket

RESERVED = frozenset(
    {"admin", "api", "static", "demo", "healthz", "readyz", "metrics", "favicon.ico"}
)
HEALTH_PATH = "/healthz"
INFO = "Info: Sync backend endpoint for @livestore/sync-cf."
INVALID_PATH = "Invalid path"
INVALID_HOST = "Invalid host"


@dataclass(frozen=True, slots=True)
class Entrance:
    """The site's ASGI application: five others behind one door."""

    site: Application
    sync_http: Application
    sync_websocket: Application
    rpc_websocket: Application
    chat_websocket: Application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._answer_http(scope, receive, send)
            case "websocket":
                await self._answer_websocket(scope, receive, send)
            case "lifespan":
                await live(scope, receive, send)

    async def _answer_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_host_allowed(scope["headers"]):
            # before Django, which would answer with a debug page in development
            await answer(scope, send, 400, INVALID_HOST)
        elif path_of(scope) == HEALTH_PATH:
            await answer_health(scope, send)
        elif path_of(scope) == RPC_PATH:
            await self.sync_http(scope, receive, send)
        elif is_reserved(scope):
            await self.site(scope, receive, send)
        elif is_sync(scope):
            await self.sync_http(scope, receive, send)
        elif path_of(scope) == "/" and scope["method"] in ("GET", "HEAD"):
            await answer(scope, send, 200, INFO)
        else:
            # pages read it too, to learn that their URL is wrong
            await answer(scope, send, 400, INVALID_PATH, *asgi_origin_headers(scope))

    async def _answer_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_host_allowed(scope["headers"]):
            await refuse_websocket(scope, receive, send, 400, INVALID_HOST)
        elif path_of(scope) == CHAT_PATH:
            await self.chat_websocket(scope, receive, send)
        elif path_of(scope) == RPC_PATH:
            await self.rpc_websocket(scope, receive, send)
        elif is_reserved(scope) or not is_sync(scope):
            await refuse_websocket(scope, receive, send, 400, INVALID_PATH)
        else:
            await self.sync_websocket(scope, receive, send)


def is_reserved(scope: Scope) -> bool:
    """Whether the path belongs to the site: its first part that is not empty is a reserved one."""
    return path_of(scope).lstrip("/").partition("/")[0] in RESERVED


def is_sync(scope: Scope) -> bool:
    """Whether the query is a valid sync query, within the limits of the settings."""
    return read_sync_request(scope["query_string"]) is not None


def path_of(scope: Scope) -> str:
    """The path without the prefix that a server was told to mount the site under."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    """Follow the server's start and stop; not every server tells, so little depends on it.

    At the stop, receivers of signals hear of what has happened: a worker runs no ``atexit``.
    """
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await asyncio.to_thread(get_announcer().stop)
            await send({"type": "lifespan.shutdown.complete"})
            return
