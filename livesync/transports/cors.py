"""Which pages of other origins may read the answers over HTTP."""

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from livesync.conf import get_settings
from livesync.transports.access import is_origin_allowed

CLIENT_HEADERS = ("content-type", "x-livestore-store-id", "b3", "traceparent", "authorization")
"""What LiveStore's client sends, and what carries a token."""

_PREFLIGHT_MAX_AGE_S = 600


def preflight() -> HttpResponse:
    """The answer to a preflight, but for the origin."""
    allowed = (*CLIENT_HEADERS, *get_settings().cors_headers)
    return HttpResponse(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": ", ".join(allowed),
            "Access-Control-Max-Age": str(_PREFLIGHT_MAX_AGE_S),
        },
    )


def name_origin(response: HttpResponseBase, origin: str | None) -> None:
    """Let pages of ``origin`` read ``response``, if the settings allow them to."""
    if not get_settings().cors:
        return
    if "*" in get_settings().allowed_origins:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return
    patch_vary_headers(response, ["Origin"])
    if origin is not None and is_origin_allowed(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
