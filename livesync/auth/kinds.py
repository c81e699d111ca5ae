"""What every kind of credential owes its caller, and the names of ours."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from livesync.auth.grants import Grant
from livesync.hooks import Context

KINDS = {
    "drf-token": "livesync.auth.drf_tokens.DrfTokens",
    "jwt": "livesync.auth.json_web_tokens.JsonWebTokens",
    "session": "livesync.auth.sessions.Sessions",
    "shared-secret": "livesync.auth.shared_secrets.SharedSecret",
    "store-token": "livesync.auth.store_tokens.StoreTokens",
}


class Kind:
    """One way to say who asks."""

    uses_session = False
    """Whether it looks at ``context.user``."""

    async def authenticate(self, payload: Any, context: Context) -> Grant | None:
        """Who asks; None: there is no credential of this kind, or a wrong one.

        Raises:
            AuthUnavailableError: it cannot be found out now.
        """
        raise NotImplementedError  # each kind does

    async def holds(self, grant: Grant) -> bool:
        """Whether a grant of this kind still holds; asked now and then while a socket is open.

        That it expires need not be looked at.

        Raises:
            AuthUnavailableError: it cannot be found out now.
        """
        return True

    def check(self) -> Iterable[CheckMessage]:
        """What an operator should hear before the site starts."""
        return ()


@lru_cache(maxsize=32)
def load_kind(name: str) -> Kind:
    """The kind of this name or dotted path.

    Raises:
        ImportError: there is none.
        TypeError: it is something else.
    """
    kind = import_string(KINDS.get(name, name))()
    if not isinstance(kind, Kind):
        raise TypeError(f"{name} is not a subclass of livesync.auth.kinds.Kind")
    return kind
