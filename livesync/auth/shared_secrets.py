"""One secret for everything: ``LIVESYNC["shared_secret"]``."""

import hmac
from typing import Any

from livesync.auth.grants import Grant
from livesync.auth.kinds import Kind
from livesync.conf import get_settings
from livesync.hooks import Context
from livesync.protocol.credentials import given_token


class SharedSecret(Kind):
    """Who knows it is let in; there is nobody behind it for whom a permission could be stored."""

    async def authenticate(self, payload: Any, context: Context) -> Grant | None:
        """Compares in constant time."""
        secret = get_settings().shared_secret
        given = given_token(payload, context.headers)
        is_known = hmac.compare_digest(given.encode(errors="replace"), secret.encode())
        return Grant() if secret and is_known else None
