"""Tokens of Django REST framework: who holds one of ``rest_framework.authtoken`` may sync.

That app keeps tokens as they are, shows them in its admin pages, and lets them last for ever. Where
a site has the choice, ``livesync.auth.store_tokens`` is the better one.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error

from livesync.auth.grants import Grant
from livesync.auth.kinds import Kind
from livesync.auth.threads import look_up
from livesync.hooks import Context
from livesync.protocol.credentials import given_token

_SCHEMES = ("token", "bearer")
_KEY_CHARS = 40


class DrfTokens(Kind):
    """``Authorization: Token ...`` as everywhere else in DRF, ``Bearer``, or ``authToken``."""

    async def authenticate(self, payload: Any, context: Context) -> Grant | None:
        key = given_token(payload, context.headers, schemes=_SCHEMES)
        if not (key.isascii() and key.isalnum() and len(key) == _KEY_CHARS):
            return None  # DRF makes no others, and not every database takes every character
        found = await look_up(_model(), lambda: _find(key))
        return None if found is None else Grant(user=found.user, reference=key)

    async def holds(self, grant: Grant) -> bool:
        assert grant.user is not None
        found = await look_up(_model(), lambda: _find(grant.reference))
        return found is not None and found.user.pk == grant.user.pk

    def check(self) -> Iterable[CheckMessage]:
        if apps.is_installed("rest_framework.authtoken"):
            return ()
        return (
            Error(
                "Tokens of Django REST framework let in, but its app is not installed.",
                hint="Add 'rest_framework.authtoken' to INSTALLED_APPS, and migrate.",
                id="livesync.E013",
            ),
        )


def _model() -> Any:
    return apps.get_app_config("authtoken").get_model("Token")


def _find(key: str) -> Any:
    return _model().objects.select_related("user").filter(key=key, user__is_active=True).first()
