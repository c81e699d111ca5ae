"""Django sessions: who is signed in to this site may sync."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, parse_cookie

from livesync.auth.grants import Grant
from livesync.auth.kinds import Kind
from livesync.auth.threads import look_up
from livesync.hooks import Context


class Sessions(Kind):
    """Looks at the session cookie; signing out closes sockets at the next time they are asked."""

    uses_session = True

    async def authenticate(self, payload: Any, context: Context) -> Grant | None:
        user = context.user
        if user is None or not user.is_active:
            return None
        return Grant(user=user, reference=_session_key(context.headers))

    async def holds(self, grant: Grant) -> bool:
        assert grant.user is not None
        user = await _load_user(grant.reference)
        return user is not None and user.is_active and user.pk == grant.user.pk


async def load_user(headers: Mapping[str, str]) -> AbstractBaseUser | None:
    """The user whose session the request's cookie names; None: there is none.

    Raises:
        AuthUnavailableError: the database does not answer.
    """
    return await _load_user(_session_key(headers))


def _session_key(headers: Mapping[str, str]) -> str:
    return parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")


async def _load_user(key: str) -> AbstractBaseUser | None:
    if not (key.isascii() and key.isalnum()):
        return None  # Django makes no other keys, and not every database takes every character
    return await look_up(get_user_model(), lambda: _load(key))


def _load(key: str) -> AbstractBaseUser | None:
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    # with a fallback of SECRET_KEY Django would give the session another key, and no browser would
    # hear of it here
    session.cycle_key = lambda: None
    request = HttpRequest()
    request.session = session
    user = get_user(request)
    return user if user.is_authenticated else None
