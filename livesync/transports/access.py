"""Who may open a connection: what a WebSocket handshake and an HTTP request have in common."""

import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

from livesync import hooks
from livesync.auth.sessions import load_user
from livesync.conf import get_settings
from livesync.hooks import Context, Hooks
from livesync.protocol.errors import AuthUnavailableError, HookFailedError, RefusedError
from livesync.protocol.search_params import SyncRequest, match_sync_request
from livesync.services.patience import patiently
from livesync.services.site import admit

logger = logging.getLogger(__name__)

STORE_HEADER = "x-livestore-store-id"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AccessRefusedError(Exception):
    """The connection is refused with an HTTP ``status``; the message may be shown."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def read_sync_request(query_string: bytes) -> SyncRequest | None:
    """``match_sync_request`` with this site's limits."""
    tuned = get_settings()
    return match_sync_request(
        query_string,
        store_id_max_bytes=tuned.store_id_max_bytes,
        payload_max_bytes=tuned.payload_max_bytes,
        payload_max_depth=tuned.payload_max_depth,
    )


async def check_access(request: SyncRequest, scope: Mapping[str, Any]) -> Context:
    """Decide whether this connection may sync the store that its URL names.

    Returns:
        Who asks, for a ``livesync.services.connection.Connection``.

    Raises:
        AccessRefusedError: it may not. Nothing has been read or written, and the answer is the
            same for stores that exist and stores that do not.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    site_hooks = hooks.get_hooks()
    origin = headers.get("origin")
    _check_origin(origin, site_hooks)
    if headers.get(STORE_HEADER, request.store_id) != request.store_id:
        raise AccessRefusedError(400, f"{STORE_HEADER} names another store than the URL")
    if not hooks.is_auth_chosen(site_hooks):
        _check_open_access(scope.get("client"))
    looks_at_session = site_hooks.uses_session and origin is not None
    context = Context(
        store_id=request.store_id,
        transport=request.transport,
        client_address=_address(scope.get("client")),
        headers=headers,
        payload=request.payload,
    )
    # over HTTP a client would not come again
    retry_for_s = 0.0 if request.transport == "ws" else get_settings().retry_budget_s
    try:
        attempt = partial(_admit, context, looks_at_session=looks_at_session)
        return await patiently(attempt, for_s=retry_for_s)
    except RefusedError as error:
        raise AccessRefusedError(400, f"UnknownError: {error}") from error
    except AuthUnavailableError as error:
        raise AccessRefusedError(503, f"UnknownError: {error}") from error
    except HookFailedError as error:
        raise AccessRefusedError(400, "UnknownError: the payload could not be validated") from error
    except Exception as error:
        logger.exception("a visitor could not be looked up")
        raise AccessRefusedError(400, "UnknownError: the payload could not be validated") from error


async def _admit(context: Context, *, looks_at_session: bool) -> Context:
    if looks_at_session:
        context = replace(context, user=await load_user(context.headers))
    return await admit(context)


def is_origin_allowed(origin: str) -> bool:
    """Whether pages of ``origin`` may connect. Scheme and host are compared without case."""
    tuned = get_settings()
    if settings.DEBUG and _is_loopback_origin(origin):
        return True
    if settings.DEBUG and tuned.open_to_network and _is_served_from_here(origin):
        return True
    known = {_normal(allowed) for allowed in tuned.allowed_origins}
    return "*" in known or _normal(origin) in known


def _check_origin(origin: str | None, site_hooks: Hooks) -> None:
    if origin is None:
        if site_hooks.uses_session and site_hooks.needs_session:
            raise AccessRefusedError(403, "an Origin header is needed to sync with a session")
    elif not is_origin_allowed(origin):
        raise AccessRefusedError(403, "pages of this origin may not connect: see allowed_origins")


def _check_open_access(client: Any) -> None:
    """Without a choice of auth: only this machine, only in development, unless exposed."""
    tuned = get_settings()
    if not settings.DEBUG:
        raise AccessRefusedError(
            400, "UnknownError: no authentication is configured on this server"
        )
    if not tuned.open_to_network and not _is_loopback(client):
        raise AccessRefusedError(
            400, "UnknownError: without authentication only this machine may sync"
        )


def _address(client: Any) -> str:
    return str(client[0]) if client else ""


def _is_loopback(client: Any) -> bool:
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except (TypeError, ValueError):
        return False  # behind a Unix socket anybody may be


def _is_loopback_origin(origin: str) -> bool:
    try:
        host = urlsplit(origin).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_served_from_here(origin: str) -> bool:
    """Whether the page comes from a host that is this machine, on whatever port."""
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    own_names = [name for name in settings.ALLOWED_HOSTS if name != "*"]
    return validate_host(host, own_names)


def _normal(origin: str) -> str:
    """Scheme and host in lower case, the scheme's own port left out."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return origin
    if not parts.hostname:
        return origin
    suffix = "" if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{port}"
    return f"{parts.scheme}://{parts.hostname}{suffix}"
