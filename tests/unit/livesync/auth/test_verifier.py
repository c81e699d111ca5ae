"""Only what the issuer has signed, for this site and with a named algorithm, is believed."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest

from livesync.auth.verifier import Verifier
from livesync.conf import LivesyncSettings
from tests.issuers import AUDIENCE, ISSUER, SECRET, Issuer

REFUSALS = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
ALGORITHMS = [
    *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512"),
    "EdDSA",
]
CLAIMS = {"exp": 4_000_000_000, "iss": ISSUER, "aud": AUDIENCE}


def verifier(*issuers: Issuer, **changed: Any) -> Verifier:
    settings = issuers[0].settings() | {"jwt_keys": tuple(issuer.key for issuer in issuers)}
    return Verifier(LivesyncSettings(**settings | changed))


def encode(*parts: Any) -> str:
    """A token by hand; a part is JSON, or raw bytes."""
    raw = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in raw)


def sign(header: Any, claims: Any) -> str:
    """A token with a right signature of HMAC, whatever else it holds."""
    signed = encode(header, claims)
    return f"{signed}.{encode(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_what_the_issuer_has_signed_is_believed(algorithm: str) -> None:
    issuer = Issuer(algorithm)

    claims = await verifier(issuer).verify(issuer.token(sub="ada", stores=["a"]))

    assert (claims["sub"], claims["stores"]) == ("ada", ["a"])


async def test_keys_may_be_exchanged_one_after_the_other() -> None:
    old, new = Issuer("ES256"), Issuer("ES256", name="new")

    both = verifier(new, old)

    assert (await both.verify(old.token(sub="a")))["sub"] == "a"
    assert (await both.verify(new.token(sub="b")))["sub"] == "b"
    with pytest.raises(ValueError, match="no known key has signed it"):
        await verifier(new).verify(old.token())


async def test_a_key_set_of_the_settings_is_used_by_its_ids() -> None:
    one, two = Issuer("ES256", key_id="1"), Issuer("ES256", key_id="2", name="two")
    key_set = {"keys": [one.jwk(), two.jwk()]}
    both = Verifier(LivesyncSettings(**one.settings() | {"jwt_keys": (), "jwt_jwks": key_set}))

    assert await both.verify(two.token())
    with pytest.raises(ValueError, match="no known key"):
        await both.verify(two.token(headers={"kid": "1"}))
    with pytest.raises(ValueError, match="no known key"):
        await both.verify(one.token(headers={"kid": "3"}))


async def test_an_algorithm_that_was_not_named_is_refused_whatever_the_key() -> None:
    issuer = Issuer("ES256")

    with pytest.raises(ValueError, match="alg is not one of jwt_algorithms"):
        await verifier(issuer, jwt_algorithms=("RS256",)).verify(issuer.token())
    with pytest.raises(ValueError, match="alg is not one of jwt_algorithms"):
        await verifier(issuer, jwt_algorithms=()).verify(issuer.token())


@pytest.mark.parametrize("named", ["none", "None", "NONE", ""])
async def test_none_is_never_an_algorithm(named: str) -> None:
    careless = verifier(Issuer("HS256"), jwt_algorithms=("HS256", "none", "None", "NONE", ""))

    for token in (encode({"alg": named}, CLAIMS, b""), sign({"alg": named}, CLAIMS)):
        with pytest.raises(ValueError, match="alg is not one of jwt_algorithms"):
            await careless.verify(token)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_public_key_is_no_secret(algorithm: str) -> None:
    """What anybody may know must not be taken for the secret of an HMAC."""
    issuer = Issuer(algorithm)
    signed = encode({"alg": "HS256"}, CLAIMS)
    both = verifier(issuer, jwt_algorithms=(algorithm, "HS256"))

    for key in (issuer.key, issuer.key.strip(), json.dumps(issuer.jwk())):
        signature = hmac.digest(key.encode(), signed.encode(), hashlib.sha256)
        with pytest.raises(ValueError, match="no known key has signed it"):
            await both.verify(f"{signed}.{encode(signature)}")


async def test_a_key_that_a_token_brings_along_counts_for_nothing() -> None:
    issuer, stranger = Issuer("ES256"), Issuer("ES256", name="stranger")

    for header in (
        {"jwk": stranger.jwk()},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/certificate"},
        {"x5c": ["AAAA"]},
    ):
        with pytest.raises(ValueError, match="no known key has signed it"):
            await verifier(issuer).verify(stranger.token(headers=header))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example/"},
        {"iss": ISSUER.rstrip("/")},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "another.example"},
        {"aud": None},
        {"aud": []},
        {"aud": ["another.example"]},
        {"exp": None},
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"sub": 5},
    ],
)
async def test_a_token_for_somebody_else_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(REFUSALS):
        await verifier(Issuer("HS256")).verify(sign({"alg": "HS256"}, _without_none(claims)))


def _without_none(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}


async def test_one_of_several_audiences_is_enough() -> None:
    issuer = Issuer("ES256")

    assert await verifier(issuer).verify(issuer.token(aud=["another.example", AUDIENCE]))


async def test_without_an_audience_or_issuer_of_its_own_a_site_takes_any() -> None:
    issuer = Issuer("ES256")
    any_of_them = verifier(issuer, jwt_audience="", jwt_issuer="")

    assert await any_of_them.verify(issuer.token(aud="another.example", iss="https://another/"))
    assert await any_of_them.verify(issuer.token(aud=None, iss=None))


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": ["b64"], "b64": False}]
)
async def test_extensions_that_must_be_understood_are_refused(header: dict[str, Any]) -> None:
    with pytest.raises(REFUSALS):
        await verifier(Issuer("HS256")).verify(sign({"alg": "HS256", **header}, CLAIMS))


GARBAGE = [
    *("", ".", "..", "a", "a.b", "a.b.c", "....", "é.é.é", "\ud83d.a.b", "\x00", "x" * 8_000),
    encode(b"\xff", {}, b""),
    encode({"alg": ["HS256"]}, {}, b""),
    encode({"alg": {}}, {}, b""),
    encode({"alg": None}, {}, b""),
    encode(["HS256"], {}, b""),
    encode({"alg": "HS256", "kid": ["a"]}, {}, b""),
    encode(b"[" * 5_000, {}, b""),
    sign({"alg": "HS256"}, []),
    sign({"alg": "HS256"}, "text"),
    sign({"alg": "HS256"}, b"[" * 5_000),
    sign({"alg": "HS256"}, b"\xff"),
    sign({"alg": "HS256"}, CLAIMS | {"aud": {AUDIENCE: 1}}),
    sign({"alg": "HS256"}, b'{"exp": 4e9, "iat": 1e400}'),
    sign({"alg": "HS256"}, b'{"exp": 4e9, "nbf": NaN}'),
    sign({"alg": "HS256"}, b'{"exp": 4e9, "nbf": "x"}'),
]


async def test_garbage_is_refused_like_any_other_token() -> None:
    ours = verifier(Issuer("HS256"), jwt_issuer="", jwt_audience=AUDIENCE)
    assert await ours.verify(sign({"alg": "HS256"}, CLAIMS))

    for token in GARBAGE:
        with pytest.raises(REFUSALS):
            await ours.verify(token)


@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
async def test_a_token_with_any_character_changed_is_refused(algorithm: str) -> None:
    issuer = Issuer(algorithm)
    ours = verifier(issuer)
    token = issuer.token()

    for position in range(len(token)):
        other = "A" if token[position] != "A" else "B"
        with pytest.raises(REFUSALS):
            await ours.verify(token[:position] + other + token[position + 1 :])
