"""What an operator hears of authentication before the site starts."""

from typing import Any

import pytest
from pytest_django import Settings

from livesync.auth.hooks import AuthHooks
from livesync.auth.kinds import KINDS, Kind, load_kind
from livesync.checks import check_settings
from tests.issuers import SECRET, Issuer

ES, RS, HS = Issuer("ES256"), Issuer("RS256"), Issuer("HS256")
URL = "https://issuer.example/keys"


class NotAKind:
    pass


class OwnHooks(AuthHooks):
    kinds = ("store-token",)


def found(settings: Settings, **tuned: Any) -> list[str | None]:
    settings.LIVESYNC = {
        "hooks": "livesync.auth.hooks.AuthHooks",
        "allowed_origins": ("https://app.example",),
        **tuned,
    }
    return [message.id for message in check_settings(None)]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_a_name(name: str) -> None:
    assert isinstance(load_kind(name), Kind)


@pytest.mark.parametrize(
    ("tuned", "ids"),
    [
        ({"auth": ("session", "store-token", "drf-token")}, []),
        ({"hooks": f"{__name__}.OwnHooks"}, []),
        ({"auth": ()}, ["livesync.E006"]),
        ({"auth": ("sessions",)}, ["livesync.E005"]),
        ({"auth": ("no.such.Kind",)}, ["livesync.E005"]),
        ({"auth": (f"{__name__}.NotAKind",)}, ["livesync.E005"]),
        ({"auth": ("shared-secret",), "shared_secret": "x" * 15}, ["livesync.E003"]),
        ({"auth": ("shared-secret",), "shared_secret": "x" * 16}, []),
        ({"auth": ("session",), "allowed_origins": ("*",)}, ["livesync.E004"]),
        ({"auth": ("store-token",), "allowed_origins": ("*",)}, []),
    ],
)
def test_a_choice_that_cannot_work_is_refused(
    settings: Settings, tuned: dict[str, Any], ids: list[str]
) -> None:
    assert found(settings, **tuned) == ids


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({}, []),
        ({"jwt_algorithms": ()}, ["livesync.E007"]),
        ({"jwt_algorithms": ("none",)}, ["livesync.E007"]),
        ({"jwt_algorithms": ("ES256", "none")}, ["livesync.E007"]),
        ({"jwt_algorithms": ("ES256", "RS256")}, ["livesync.E008"]),
        ({"jwt_algorithms": ("ES256", "RS256"), "jwt_keys": (ES.key, RS.key)}, []),
        ({"jwt_algorithms": ("ES384",)}, ["livesync.E008"]),
        ({"jwt_keys": ()}, ["livesync.E008"]),
        ({"jwt_keys": (), "jwt_jwks": {"keys": [ES.jwk()]}}, []),
        ({"jwt_keys": (), "jwt_jwks": {"keys": []}}, ["livesync.E008"]),
        ({"jwt_keys": (), "jwt_jwks": {"key": []}}, ["livesync.E008"]),
        ({"jwt_keys": (), "jwt_jwks_url": URL}, []),
        ({"jwt_jwks_url": "http://issuer.example/keys"}, ["livesync.E009"]),
        ({"jwt_keys": (ES.key[:60],)}, ["livesync.E008"]),
        ({"jwt_algorithms": ("HS256",), "jwt_keys": ("x" * 31,)}, ["livesync.E008"]),
        ({"jwt_algorithms": ("HS256",), "jwt_keys": ("x" * 32,)}, []),
        ({"jwt_algorithms": ("HS512",), "jwt_keys": ("x" * 63,)}, ["livesync.E008"]),
        ({"jwt_algorithms": ("HS256",), "jwt_keys": (ES.key,)}, ["livesync.E008"]),
        ({"jwt_algorithms": ("HS256",), "jwt_jwks_url": URL}, ["livesync.E008"]),
        ({"jwt_audience": ""}, ["livesync.W002"]),
    ],
)
def test_keys_and_algorithms_that_do_not_fit_are_refused(
    settings: Settings, changed: dict[str, Any], ids: list[str]
) -> None:
    assert found(settings, auth=("jwt",), **ES.settings() | changed) == ids


def test_without_its_app_a_token_of_drf_cannot_let_in(settings: Settings) -> None:
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "rest_framework.authtoken"
    ]

    assert found(settings, auth=("drf-token",)) == ["livesync.E013"]


def test_no_check_shows_a_secret(settings: Settings) -> None:
    for keys in ((SECRET[:20],), SECRET, [SECRET]):
        found(settings, auth=("jwt",), **HS.settings() | {"jwt_keys": keys})

        assert "CANARY" not in " ".join(map(str, check_settings(None)))
