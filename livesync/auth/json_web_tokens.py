"""JSON Web Tokens: who holds one that the site's issuer has signed may sync.

The algorithm must be one that the site names, and the key one that was made for it. Keys that a
token brings along or points to (``jwk``, ``jku``, ``x5u``) are never looked at.
"""

import logging
from collections.abc import Iterable
from typing import Any

import jwt
from django.core.checks import CheckMessage

from livesync.auth.claims import ClaimError, read_end, read_scope, read_subject
from livesync.auth.grants import Grant
from livesync.auth.jwt_checks import check_settings
from livesync.auth.kinds import Kind
from livesync.auth.verifier import Verifier
from livesync.conf import LivesyncSettings, get_settings
from livesync.hooks import Context
from livesync.protocol.credentials import given_token

logger = logging.getLogger(__name__)

_REFUSALS = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""All that a token of any shape can bring about; ``ClaimError`` is a ValueError."""


class JsonWebTokens(Kind):
    """``authToken``, or ``Authorization: Bearer ...``, with a JSON Web Token."""

    def __init__(self) -> None:
        self._verifier: Verifier | None = None

    async def authenticate(self, payload: Any, context: Context) -> Grant | None:
        token = given_token(payload, context.headers)
        if not token:
            return None
        tuned = get_settings()
        verifier = self._current(tuned)
        try:
            claims = await verifier.verify(token)
            return Grant(
                subject=read_subject(claims),
                scope=read_scope(claims, tuned.jwt_claims_prefix),
                expires_at=read_end(claims, tuned),
                reference=token,
            )
        except _REFUSALS as error:
            # not the text of others' errors, which may hold parts of the token
            reason = str(error) if isinstance(error, ClaimError) else type(error).__name__
            logger.info("a JSON Web Token was refused: %s", reason)
            return None

    async def holds(self, grant: Grant) -> bool:
        """Whether the key that signed it still counts."""
        verifier = self._current(get_settings())
        try:
            await verifier.verify(grant.reference)
        except _REFUSALS:
            return False
        return True

    def check(self) -> Iterable[CheckMessage]:
        return check_settings(get_settings())

    def _current(self, tuned: LivesyncSettings) -> Verifier:
        if self._verifier is None or self._verifier.tuned is not tuned:
            self._verifier = Verifier(tuned)
        return self._verifier
