"""Is a JSON Web Token rightly signed, and meant for this site?"""

from collections.abc import Iterable
from typing import Any

import jwt

from livesync.auth.claims import ClaimError
from livesync.auth.key_sets import KeySet
from livesync.auth.keys import (
    ALGORITHMS,
    SECRET_MIN_BYTES,
    Key,
    Wanted,
    candidates,
    read_key_set,
    read_keys,
)
from livesync.conf import LivesyncSettings


class Verifier:
    """Knows the keys of some settings.

    Raises:
        UnusableKeyError: a key of the settings cannot be used.
    """

    def __init__(self, tuned: LivesyncSettings) -> None:
        self.tuned = tuned
        self._algorithms = [name for name in tuned.jwt_algorithms if name in ALGORITHMS]
        self._keys = [*read_keys(tuned.jwt_keys), *read_key_set(tuned.jwt_jwks or {"keys": []})]
        self._key_set: KeySet | None = None
        if tuned.jwt_jwks_url:
            self._key_set = KeySet(
                tuned.jwt_jwks_url,
                max_age_s=tuned.jwt_jwks_max_age_s,
                timeout_s=tuned.jwt_jwks_timeout_s,
            )

    async def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that is rightly signed and meant for this site.

        ``exp`` is there, but may have passed.

        Raises:
            AuthUnavailableError: the issuer's keys cannot be had now.
            jwt.PyJWTError, ValueError and others: it is not.
        """
        header = jwt.get_unverified_header(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._algorithms:
            raise ClaimError("alg is not one of jwt_algorithms")
        if "crit" in header:
            raise ClaimError("crit names extensions that are not understood here")
        wanted = Wanted(algorithm, key_id if isinstance(key_id, str) else None)
        claims = self._try(token, candidates(self._keys, wanted), algorithm)
        if claims is None and self._key_set is not None:
            claims = self._try(token, await self._key_set.candidates(wanted), algorithm)
        if claims is None:
            raise ClaimError("no known key has signed it")
        return claims

    def usable_algorithms(self) -> set[str]:
        """Those for which there may be a key."""
        known = {name for key in self._keys for name in key.algorithms}
        if self._key_set is not None:
            known |= {name for name in ALGORITHMS if name not in SECRET_MIN_BYTES}
        return known

    def _try(self, token: str, keys: Iterable[Key], algorithm: str) -> dict[str, Any] | None:
        for key in keys:
            try:
                return self._decode(token, key, algorithm)
            except jwt.InvalidSignatureError:
                continue  # the next one may be it, where the token names none
        return None

    def _decode(self, token: str, key: Key, algorithm: str) -> dict[str, Any]:
        tuned = self.tuned
        wanted = {"exp": True, "iss": tuned.jwt_issuer, "aud": tuned.jwt_audience}
        return jwt.decode(
            token,
            key.material,
            algorithms=[algorithm],
            issuer=tuned.jwt_issuer or None,
            audience=tuned.jwt_audience or None,
            leeway=tuned.jwt_leeway_s,
            options={
                "require": [claim for claim, is_wanted in wanted.items() if is_wanted],
                "verify_aud": bool(tuned.jwt_audience),
                "verify_exp": False,  # see claims.read_end, which knows of the grace
            },
        )
