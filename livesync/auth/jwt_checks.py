"""System checks of the settings that begin with ``jwt_``."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning

from livesync.auth.key_sets import is_trustworthy
from livesync.auth.keys import ALGORITHMS, SECRET_MIN_BYTES, UnusableKeyError
from livesync.auth.verifier import Verifier
from livesync.conf import LivesyncSettings


def check_settings(tuned: LivesyncSettings) -> Iterator[CheckMessage]:
    """Refuse what would let in nobody, or tokens of anybody."""
    yield from _check_algorithms(tuned)
    yield from _check_keys(tuned)
    yield from _check_claims(tuned)


def _check_algorithms(tuned: LivesyncSettings) -> Iterator[CheckMessage]:
    unknown = {*tuned.jwt_algorithms} - {*ALGORITHMS}
    if unknown or not tuned.jwt_algorithms:
        yield Error(
            "LIVESYNC['jwt_algorithms'] is empty, or names what is no algorithm for tokens here.",
            hint=f"Name those that your issuer signs with, of {', '.join(ALGORITHMS)}.",
            id="livesync.E007",
        )


def _check_keys(tuned: LivesyncSettings) -> Iterator[CheckMessage]:
    try:
        usable = Verifier(tuned).usable_algorithms()
    except UnusableKeyError as error:
        # says nothing of the key itself
        yield Error(f"A key for JSON Web Tokens cannot be used: {error}.", id="livesync.E008")
        return
    idle = [name for name in tuned.jwt_algorithms if name in ALGORITHMS and name not in usable]
    if idle:
        yield Error(
            f"No key can verify JSON Web Tokens that are signed with {', '.join(idle)}.",
            hint=(
                "Public keys and secrets go to LIVESYNC['jwt_keys'] or ['jwt_jwks'], or name the"
                " issuer's ['jwt_jwks_url']. A secret needs as many bytes as its hash:"
                f" {', '.join(f'{name} {least}' for name, least in SECRET_MIN_BYTES.items())}."
            ),
            id="livesync.E008",
        )
    if tuned.jwt_jwks_url and not is_trustworthy(tuned.jwt_jwks_url):
        yield Error(
            "LIVESYNC['jwt_jwks_url'] is neither https: nor on this machine: whoever is between"
            " could put their own keys in the place of the issuer's.",
            id="livesync.E009",
        )


def _check_claims(tuned: LivesyncSettings) -> Iterator[CheckMessage]:
    if not tuned.jwt_audience:
        yield Warning(
            "LIVESYNC['jwt_audience'] is empty: tokens that the issuer made for other apps let in"
            " here as well.",
            id="livesync.W002",
        )
