"""Which pages of other origins may read the answers over HTTP."""

from collections.abc import Mapping
from typing import Any

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
    for name, value in origin_headers(origin).items():
        if name == "Vary":
            patch_vary_headers(response, [value])
        else:
            response.headers[name] = value


def origin_headers(origin: str | None) -> dict[str, str]:
    """The headers that let pages of ``origin`` read an answer, if the settings allow them to."""
    if not get_settings().cors:
        return {}
    if "*" in get_settings().allowed_origins:
        return {"Access-Control-Allow-Origin": "*"}
    if origin is not None and is_origin_allowed(origin):
        return {"Vary": "Origin", "Access-Control-Allow-Origin": origin}
    return {"Vary": "Origin"}


def asgi_origin_headers(scope: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """``origin_headers`` for a request that Django does not see, as ASGI sends them."""
    origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
    headers = origin_headers(origins[0] if origins else None)
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
