"""Is the process up, and can it serve? For load balancers and people."""

import logging
from typing import Literal

from django.conf import settings
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from livesync.services.hub import all_hubs, get_hub
from syncsite.asgi_types import Scope, Send
from syncsite.plain_answers import answer, answer_json

NEVER_CACHE = (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private")

logger = logging.getLogger(__name__)

BusState = Literal["memory", "redis", "degraded"]


async def answer_health(scope: Scope, send: Send) -> None:
    """200 while the process is up. A degraded bus delays live pulls by seconds, no more.

    Django is not asked: its threads may all be taken, and the process is up nevertheless.
    """
    if scope["method"] in ("GET", "HEAD"):
        watch_bus()  # other servers than ours do not at their start
        health = {"status": "ok", "bus": bus_state()}
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
        "bus": bus_state(),
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


def bus_state() -> BusState:
    """How hints travel between processes, and whether this process's do.

    What its own hub has found when it last had something to tell, or at most 5 s ago where it had
    not: a process may be cut off from a Redis that is up. Until it has found anything, all is well.
    """
    if not settings.REDIS_URL:
        return "memory"
    return "degraded" if any(hub.is_degraded for hub in all_hubs()) else "redis"


def watch_bus() -> None:
    """Let the hub of the running loop look whether its hints get through."""
    if settings.REDIS_URL:
        get_hub().watch_bus()
