"""A key verifies with the algorithms it was made for, and with no other."""

import re

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from livesync.auth.keys import UnusableKeyError, Wanted, candidates, read_key_set, read_keys
from tests.issuers import SECRET, Issuer

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


def _pem(private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey) -> str:
    public = private_key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        ("x" * 32, ("HS256",)),
        ("x" * 48, ("HS256", "HS384")),
        ("é" * 32, ("HS256", "HS384", "HS512")),
        (Issuer("RS256").key, RSA),
        (Issuer("ES256").key, ("ES256",)),
        (Issuer("ES384").key, ("ES384",)),
        (Issuer("ES512").key, ("ES512",)),
        (Issuer("EdDSA").key, ("EdDSA",)),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_a_key_is_bound_to_its_algorithms(key: str, algorithms: tuple[str, ...]) -> None:
    (read,) = read_keys([key])

    assert read.algorithms == algorithms


def _unusable() -> dict[str, str]:
    private = Issuer("ES256").private_key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return {
        "x" * 31: "a secret needs at least 32 bytes",
        "": "a secret needs at least 32 bytes",
        _pem(rsa.generate_private_key(65_537, 1_024)): "an RSA key needs at least 2048 bits",
        _pem(ec.generate_private_key(ec.SECP256K1())): "signs no tokens",
        _pem(dsa.generate_private_key(1_024)): "signs no tokens",
        "-----BEGIN PUBLIC KEY-----\nCANARY\n-----END PUBLIC KEY-----": "cannot be read",
        "-----BEGIN CERTIFICATE-----\nCANARY\n-----END CERTIFICATE-----": "cannot be read",
        private.decode(): "a private key belongs to whoever makes tokens",
    }


def test_a_key_that_cannot_be_used_says_why_and_is_not_shown() -> None:
    for key, reason in _unusable().items():
        with pytest.raises(UnusableKeyError, match=re.escape(reason)) as refused:
            read_keys([key])

        assert "CANARY" not in str(refused.value)


def test_a_key_is_not_shown() -> None:
    assert "CANARY" not in repr(read_keys([SECRET]))


def test_entries_of_a_key_set_that_verify_nothing_are_passed_over() -> None:
    ours = Issuer("ES256", key_id="ours")
    secret = {"kty": "oct", "k": "x" * 43, "kid": "secret"}
    private = ours.jwk(d="x", kid="private")
    entries = [
        *({}, None, "text", 1, [], {"kty": "XYZ"}, {"kty": "EC"}, {"kty": "RSA", "n": "!", "e": 1}),
        *({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, secret, private),
        ours.jwk(use="enc", kid="encrypts"),
        ours.jwk(alg="RS256", kid="another algorithm"),
        ours.jwk(alg=["ES256"], kid="no text"),
        ours.jwk(),
    ]

    found = [key for key in read_key_set({"keys": entries}) if key.algorithms]

    assert [(key.key_id, key.algorithms) for key in found] == [("ours", ("ES256",))]


@pytest.mark.parametrize("key_set", [{}, {"keys": None}, {"keys": "text"}, [], "text", None, 5])
def test_what_is_no_key_set_is_refused(key_set: object) -> None:
    with pytest.raises(UnusableKeyError, match="a key set is an object with a list 'keys'"):
        read_key_set(key_set)  # type: ignore[arg-type] # it comes from a network


def test_a_key_that_names_another_id_or_family_is_no_candidate() -> None:
    one, two = Issuer("ES256", key_id="one"), Issuer("ES256", key_id="two")
    keys = [*read_key_set({"keys": [one.jwk(), two.jwk()]}), *read_keys([one.key, SECRET])]

    def found(algorithm: str, key_id: str | None) -> list[str | None]:
        return [key.key_id for key in candidates(keys, Wanted(algorithm, key_id))]

    assert found("ES256", "one") == ["one", None]
    assert found("ES256", "three") == [None]
    assert found("ES256", None) == ["one", "two", None]
    assert found("HS256", "one") == [None]
    assert found("RS256", "one") == []
