"""``/metrics``: what the apps have counted, as Prometheus reads it.

With several workers whoever is asked answers for all of them (``syncsite.shared_metrics``). Gauges
are set when somebody asks; those of the other workers are some seconds old.
"""

import asyncio
import hmac
import threading

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest

from chatstate.services import gauges as chatstate_gauges
from livesync.services import gauges as livesync_gauges
from syncsite.background_log import BackgroundLog
from syncsite.shared_metrics import is_shared, readable

GAUGES_EVERY_S = 5.0

LOG_DROPPED_LINES = Counter(
    "syncsite_log_dropped_lines_total", "Log lines that nobody took in time."
)

_told_dropped_lines = 0
_refreshing = threading.Lock()


@never_cache
@require_safe
def expose(request: HttpRequest) -> HttpResponse:
    """All metrics, for whoever has the token; 404 where no token is set."""
    if not settings.METRICS_TOKEN:
        return _plain(404, "metrics are off; SYNCSITE_METRICS_TOKEN turns them on")
    if not _has_token(request):
        refusal = _plain(401, "the token of the metrics is needed")
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal
    refresh()
    return HttpResponse(generate_latest(readable()), content_type=CONTENT_TYPE_LATEST)


def refresh() -> None:
    """Make what is not counted as it happens say how this process stands."""
    global _told_dropped_lines
    with _refreshing:
        livesync_gauges.set_gauges()
        chatstate_gauges.set_gauges()
        dropped = BackgroundLog.dropped_lines
        LOG_DROPPED_LINES.inc(dropped - _told_dropped_lines)
        _told_dropped_lines = dropped


async def refresh_for_ever() -> None:
    """Keep this process's part true for the others, where there are others."""
    while is_shared():
        refresh()
        await asyncio.sleep(GAUGES_EVERY_S)


def _has_token(request: HttpRequest) -> bool:
    expected = f"Bearer {settings.METRICS_TOKEN}"
    given = request.headers.get("Authorization", "")
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _plain(status: int, text: str) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
