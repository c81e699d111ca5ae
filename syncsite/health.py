"""Is the process up, and can it serve? For load balancers and people."""

import logging
from typing import Literal

import redis
from django.conf import settings
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

BUS_TIMEOUT_S = 0.5

logger = logging.getLogger(__name__)

BusState = Literal["memory", "redis", "degraded"]


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process is up. A degraded bus delays live pulls by seconds, no more."""
    return JsonResponse({"status": "ok", "bus": bus_state()})


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
    """How hints travel between processes, and whether they do."""
    if not settings.REDIS_URL:
        return "memory"
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=BUS_TIMEOUT_S, socket_connect_timeout=BUS_TIMEOUT_S
    )
    try:
        client.ping()
    except redis.RedisError:
        return "degraded"
    finally:
        client.close()
    return "redis"
