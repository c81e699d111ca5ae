"""Issuers of JSON Web Tokens, their keys made once for each process of the tests."""

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "CANARY-7f3a-and-more, together long enough for any hash of HMAC: 0123456789abcdef"
ISSUER = "https://issuer.example/"
AUDIENCE = "sync.example"

CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


class Issuer:
    """Signs tokens with one algorithm.

    Args:
        algorithm: as in the header of a token.
        key_id: in the header and in the key set; None for neither.
        name: another name is another key.
    """

    def __init__(self, algorithm: str, *, key_id: str | None = None, name: str = "ours") -> None:
        self.algorithm = algorithm
        self.key_id = key_id
        self.private_key = SECRET.encode() if algorithm[:2] == "HS" else _make(algorithm, name)

    def token(self, *, headers: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token that lasts an hour, with these claims besides; a claim of None is left out."""
        given = {"exp": int(time.time()) + 3_600, "iss": ISSUER, "aud": AUDIENCE, **claims}
        kid = {"kid": self.key_id} if self.key_id else {}
        return jwt.encode(
            {name: value for name, value in given.items() if value is not None},
            self.private_key,
            self.algorithm,
            headers={**kid, **(headers or {})},
        )

    @property
    def key(self) -> str:
        """What verifies them: the secret, or the public key in PEM."""
        if isinstance(self.private_key, bytes):
            return self.private_key.decode()
        public = self.private_key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def jwk(self, **more: Any) -> dict[str, Any]:
        """The public key as an entry of a key set."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        entry = json.loads(algorithm.to_jwk(self.private_key.public_key()))
        entry.pop("key_ops", None)
        return entry | ({"kid": self.key_id} if self.key_id else {}) | more

    def settings(self) -> dict[str, Any]:
        """Settings of livesync with which its tokens let in."""
        return {
            "jwt_algorithms": (self.algorithm,),
            "jwt_keys": (self.key,),
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
        }


@cache
def _make(algorithm: str, name: str) -> Any:
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm]())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65_537, 2_048)
