"""What a site may override: who may sync which store.

A site names its class in ``settings.LIVESYNC["hooks"]``. A hook may be ``async`` or not; one that
is not runs in a thread, where it may use the database.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.module_loading import import_string

from livesync.conf import get_settings
from livesync.protocol.errors import AuthError

Transport = Literal["ws", "http", "rpc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who asks for which store, as fixed by the handshake or by the HTTP request.

    A hook that knows more gives another one, made with ``dataclasses.replace``.
    """

    store_id: str
    """The store as the client names it; nothing a message says can change it."""

    transport: Transport
    """How the client talks: a WebSocket, requests over HTTP, or RPC."""

    headers: Mapping[str, str]
    """The request's headers, names in lower case."""

    payload: Any = None
    """The client's ``syncPayload`` as JSON values; None when it sends none."""

    user: AbstractBaseUser | None = None
    """Who asks, where that is known: the signed-in Django user for hooks with ``uses_session``."""

    expires_at: datetime | None = None
    """When the right to ask ends; None for never."""

    stored_store_id: str = ""
    """The store in the storage, as ``Hooks.stored_store_id`` gives it; "" before it was asked."""


class Hooks:
    """Does nothing until a site overrides it.

    As long as ``validate_payload`` is not overridden, only this machine may sync, and only in
    development.
    """

    uses_session = False
    """Set it when ``validate_payload`` looks at ``context.user``. Requests must then come from a
    page of an allowed origin, so that no other site's page can use a visitor's session."""

    async def validate_payload(self, payload: Any, context: Context) -> Context | None:
        """Runs at the WebSocket handshake and at each HTTP request, before anything else.

        Args:
            payload: the client's ``syncPayload`` as JSON values; None when it sends none. It may
                hold secrets: it must not reach a log.
            context: the store and the request.

        Returns:
            None, or the context for all that follows on this connection: with a ``user`` or an
            ``expires_at``, say. Its ``store_id`` and ``transport`` stay what they are.

        Raise an AuthError to refuse. The client gets 400, whatever the store and the reason.
        """
        return None

    async def stored_store_id(self, store_id: str, context: Context) -> str:
        """Says under which id a store is kept, where tenants may use the same names.

        Runs once for a connection or HTTP request, after ``validate_payload``. All that is read
        and written is the stored store's; the client hears of its own name only. Two tenants must
        never get one id for two stores, so put between the parts what neither can hold.

        Raise an AuthError to refuse, as in ``validate_payload``.
        """
        return store_id

    async def may_pull(self, context: Context) -> bool:
        """Runs at each pull. False refuses it; a live pull that is open goes on."""
        return True

    async def may_push(self, context: Context) -> bool:
        """Runs at each push. False refuses it; nothing of it is stored."""
        return True


class OpenHooks(Hooks):
    """Everybody who reaches the server may sync every store."""

    async def validate_payload(self, payload: Any, context: Context) -> None:
        """Refuses nobody."""


class SharedSecretHooks(Hooks):
    """Who knows ``LIVESYNC["shared_secret"]`` may sync every store.

    A client sends it as ``syncPayload: { authToken: "..." }``, or as the header
    ``Authorization: Bearer ...`` where it can set headers.
    """

    async def validate_payload(self, payload: Any, context: Context) -> None:
        """Compares in constant time."""
        secret = get_settings().shared_secret
        given = _bearer_token(context.headers) or _auth_token(payload)
        if not secret or not hmac.compare_digest(given.encode(errors="replace"), secret.encode()):
            raise AuthError("Invalid auth token")


class SignedInHooks(Hooks):
    """Who is signed in to this Django site may sync every store."""

    uses_session = True

    async def validate_payload(self, payload: Any, context: Context) -> None:
        """Wants an active user."""
        if context.user is None or not context.user.is_active:
            raise AuthError("Not signed in")


def get_hooks() -> Hooks:
    """The site's hooks."""
    return _load(get_settings().hooks)


def is_auth_chosen(hooks: Hooks) -> bool:
    """Whether the site has said who may sync, were it everybody."""
    return type(hooks).validate_payload is not Hooks.validate_payload


@lru_cache(maxsize=8)
def _load(path: str) -> Hooks:
    hooks = import_string(path)()
    if not isinstance(hooks, Hooks):
        raise TypeError(f"{path} is not a subclass of livesync.hooks.Hooks")
    return hooks


def _bearer_token(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _auth_token(payload: Any) -> str:
    token = payload.get("authToken") if isinstance(payload, dict) else None
    return token if isinstance(token, str) else ""
