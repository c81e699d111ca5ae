"""Keys that verify JSON Web Tokens, each bound to the algorithms it was made for.

That a key is never used by an algorithm of another family is what keeps a public key, which anybody
has, from being taken for the secret of an HMAC.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

SECRET_MIN_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""A secret has at least as many bytes as the hash has. Source: RFC 7518, section 3.2."""

RSA_MIN_BITS = 2_048
"""Source: RFC 7518, section 3.3."""

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS = (*SECRET_MIN_BYTES, *_RSA, *_CURVES.values(), "EdDSA")
"""Every algorithm that a site may name; ``none`` is not among them."""


class UnusableKeyError(ValueError):
    """A key cannot be used; the message says why, and holds nothing of the key."""


class Key(NamedTuple):
    """One key: its id, if it has one, the algorithms it may be used by, and itself."""

    key_id: str | None
    algorithms: tuple[str, ...]
    material: Any

    def __repr__(self) -> str:
        return f"Key(key_id={self.key_id!r}, algorithms={self.algorithms!r})"


class Wanted(NamedTuple):
    """What a token says of the key that has signed it; its id may be absent."""

    algorithm: str
    key_id: str | None


def read_keys(texts: Iterable[str]) -> list[Key]:
    """Read the keys of the settings: public keys in PEM, and secrets.

    Raises:
        UnusableKeyError: a public key that cannot be read or is too weak, or a private one.
    """
    return [_read_pem(text) if "-----BEGIN" in text else _secret(text) for text in texts]


def read_key_set(key_set: Mapping[str, Any]) -> list[Key]:
    """Read a JSON Web Key Set; entries that no signature of ours can have are passed over.

    Raises:
        UnusableKeyError: it is no key set.

    Source: RFC 7517, section 5: "implementations SHOULD ignore JWKs [...] that are not understood".
    """
    entries = key_set.get("keys") if isinstance(key_set, Mapping) else None
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise UnusableKeyError("a key set is an object with a list 'keys'")
    return [key for entry in entries if (key := _read_jwk(entry)) is not None]


def candidates(keys: Iterable[Key], wanted: Wanted) -> list[Key]:
    """Keys that may have made a signature; one with another id than the token's has not."""
    return [
        key
        for key in keys
        if wanted.algorithm in key.algorithms
        and (key.key_id is None or wanted.key_id in (None, key.key_id))
    ]


def _secret(text: str) -> Key:
    size = len(text.encode())
    algorithms = tuple(name for name, least in SECRET_MIN_BYTES.items() if size >= least)
    if not algorithms:
        raise UnusableKeyError(f"a secret needs at least {SECRET_MIN_BYTES['HS256']} bytes")
    return Key(None, algorithms, text.encode())


def _read_pem(text: str) -> Key:
    if "PRIVATE KEY" in text:
        raise UnusableKeyError("a private key belongs to whoever makes tokens, not here")
    try:
        material = load_pem_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKeyError("a public key in PEM cannot be read") from error
    return Key(None, _algorithms_of(material), material)


def _read_jwk(entry: Any) -> Key | None:
    """None: not understood, not for signatures, too weak, or a secret, which no set should tell."""
    if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig":
        return None
    if entry.get("kty") == "oct" or "d" in entry:
        return None
    try:
        material = jwt.PyJWK.from_dict(dict(entry)).key
        algorithms = _algorithms_of(material)
    except (jwt.PyJWTError, UnusableKeyError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    named = entry.get("alg")
    algorithms = algorithms if named is None else tuple({named} & {*algorithms})
    key_id = entry.get("kid")
    return Key(key_id if isinstance(key_id, str) else None, algorithms, material)


def _algorithms_of(material: Any) -> tuple[str, ...]:
    match material:
        case RSAPublicKey() if material.key_size >= RSA_MIN_BITS:
            return _RSA
        case RSAPublicKey():
            raise UnusableKeyError(f"an RSA key needs at least {RSA_MIN_BITS} bits")
        case EllipticCurvePublicKey() if material.curve.name in _CURVES:
            return (_CURVES[material.curve.name],)
        case Ed25519PublicKey():
            return ("EdDSA",)
    raise UnusableKeyError("a public key is of a kind that signs no tokens")
