"""A production site refuses to start while anything is unsafe."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from syncsite.safety import refuse_if_unsafe

SAFE: dict[str, Any] = {
    "secret_key": "0123456789" * 5,
    "allowed_hosts": ["sync.example"],
    "livesync": {"hooks": "livesync.hooks.OpenHooks", "allowed_origins": (), "shared_secret": ""},
    "tls_proxy": True,
    "workers": 1,
    "redis_url": "",
    "data_directory": Path("/nonexistent"),
    "metrics_token": "",
}


def auth(kind: str | None, **more: Any) -> dict[str, Any]:
    values = {"allowed_origins": (), "shared_secret": "", **more}
    chosen = {"hooks": "livesync.auth.hooks.AuthHooks", "auth": (kind,)}
    return {"livesync": values if kind is None else values | chosen}


def test_safe_settings_pass() -> None:
    refuse_if_unsafe(**SAFE)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"secret_key": ""}, "SECRET_KEY is missing"),
        ({"secret_key": "0123456789" * 5 + "x", "allowed_hosts": []}, "ALLOWED_HOSTS is empty"),
        ({"secret_key": "0123456789" * 4 + "012345678"}, "SECRET_KEY is too weak"),
        ({"secret_key": "a" * 60}, "SECRET_KEY is too weak"),
        ({"secret_key": "django-insecure-" + "0123456789" * 5}, "one of Django's examples"),
        ({"metrics_token": "fifteen letters"}, "SYNCSITE_METRICS_TOKEN needs at least 16"),
        ({"allowed_hosts": ["sync.example", "*"]}, "ALLOWED_HOSTS allows every host"),
        (auth(None), "SYNCSITE_AUTH is not chosen"),
        (auth("shared-secret", shared_secret="x" * 15), "SYNCSITE_AUTH_SECRET"),
        (auth("jwt", admin_secret="x" * 15), "SYNCSITE_ADMIN_SECRET"),
        (auth("session"), "SYNCSITE_ALLOWED_ORIGINS is empty"),
        (auth("session", allowed_origins=("*",)), "allows every page"),
        ({"tls_proxy": False}, "SYNCSITE_TLS_PROXY is not 1"),
        ({"workers": 2}, "WORKERS=2 needs REDIS_URL"),
    ],
)
def test_each_danger_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=told) as refusal:
        refuse_if_unsafe(**SAFE | changed)

    assert len(str(refusal.value).splitlines()) == 2


def test_a_data_directory_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    with pytest.raises(ImproperlyConfigured, match="can be written by everybody"):
        refuse_if_unsafe(**SAFE | {"data_directory": tmp_path})


def test_all_dangers_are_told_at_once() -> None:
    unsafe = {"secret_key": "", "allowed_hosts": [], "tls_proxy": False, "workers": 2}

    with pytest.raises(ImproperlyConfigured) as refusal:
        refuse_if_unsafe(**SAFE | unsafe | auth(None))

    assert len(str(refusal.value).splitlines()) == 1 + 5


@pytest.mark.parametrize(
    "changed",
    [
        {"workers": 2, "redis_url": "redis://cache.example"},
        auth("shared-secret", shared_secret="x" * 16),
        auth("session", allowed_origins=("https://app.example",)),
        auth("mysite.hooks.Hooks"),
    ],
)
def test_what_is_safe_passes(changed: dict[str, Any]) -> None:
    refuse_if_unsafe(**SAFE | changed)
