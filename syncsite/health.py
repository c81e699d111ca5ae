"""Is the process up, and can it serve? For load balancers and people."""

import logging
from typing import Literal

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.asyncio import Redis
from redis.exceptions import RedisError

from syncsite.asgi_types import Scope, Send
from syncsite.plain_answers import answer, answer_json

BUS_TIMEOUT_S = 0.5
NEVER_CACHE = (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private")

logger = logging.getLogger(__name__)

BusState = Literal["memory", "redis", "degraded"]


async def answer_health(scope: Scope, send: Send) -> None:
    """200 while the process is up. A degraded bus delays live pulls by seconds, no more.

    Django is not asked: its threads may all be taken, and the process is up nevertheless.
    """
    if scope["method"] in ("GET", "HEAD"):
        health = {"status": "ok", "bus": await bus_state()}
        await answer_json(scope, send, 200, health, NEVER_CACHE)
    else:
        await answer(scope, send, 405, "Method not allowed", (b"allow", b"GET, HEAD"))


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every database answers and has its tables, else 503."""
    databases = {alias: database_state(alias) for alias in connections}
    ready = set(databases.values()) == {"ok"}
    body = {
        "status": "ready" if ready else "not ready",
        "databases": databases,
        "bus": async_to_sync(bus_state)(),
    }
    return JsonResponse(body, status=200 if ready else 503)


@require_safe
def no_icon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for an icon wherever they are; none is no error."""
    return HttpResponse(status=204)


def database_state(alias: str) -> Literal["ok", "unavailable"]:
    """Whether the alias' database answers and was migrated; why not goes to the log."""
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
    except DatabaseError as error:
        logger.warning("database %s is unavailable: %s", alias, error)
        return "unavailable"
    return "ok"


async def bus_state() -> BusState:
    """How hints travel between processes, and whether they do."""
    if not settings.REDIS_URL:
        return "memory"
    client = Redis.from_url(
        settings.REDIS_URL, socket_timeout=BUS_TIMEOUT_S, socket_connect_timeout=BUS_TIMEOUT_S
    )
    try:
        await client.ping()
    except RedisError:
        return "degraded"
    finally:
        await client.aclose()
    return "redis"
