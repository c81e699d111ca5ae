"""What the environment says about livesync."""

from pathlib import Path
from typing import Any

from syncsite import environment

AUTH_KINDS = {
    "shared-secret": "shared-secret",
    "django": "session",
    "jwt": "jwt",
    "store-token": "store-token",
    "drf-token": "drf-token",
}
"""What SYNCSITE_AUTH calls the kinds of credential of ``livesync.auth``."""

AUTH_CHOICES = ("open", *AUTH_KINDS)

_YEAR_S = 366 * 24 * 3_600


def livesync_settings(*, development: bool, data_directory: Path) -> dict[str, Any]:
    """The LIVESYNC setting.

    Without SYNCSITE_AUTH livesync itself lets in, in development, this machine and nobody else;
    SYNCSITE_EXPOSE=1 lets in the local network. Loopback origins are not named here: in development
    livesync allows them by itself.
    """
    engine = environment.text("SYNCSITE_ENGINE")
    values: dict[str, Any] = {
        "allowed_origins": tuple(environment.names("SYNCSITE_ALLOWED_ORIGINS")),
        "cors": environment.flag("SYNCSITE_CORS", default=development),
        "open_to_network": development and environment.flag("SYNCSITE_EXPOSE"),
        "shared_secret": environment.secret("SYNCSITE_AUTH_SECRET"),
        "store_permissions": environment.flag("SYNCSITE_STORE_PERMISSIONS"),
        "admin_secret": environment.secret("SYNCSITE_ADMIN_SECRET"),
        "files_directory": str(data_directory / "stores"),
    }
    if engine:
        values["engine"] = engine
    return values | _auth(environment.names("SYNCSITE_AUTH")) | _jwt()


def _auth(chosen: list[str]) -> dict[str, Any]:
    if not chosen:
        return {}
    if len(chosen) > 1 or chosen[0] in AUTH_KINDS:
        return {
            "hooks": "livesync.auth.hooks.AuthHooks",
            "auth": tuple(AUTH_KINDS.get(name, name) for name in chosen),
        }
    return {"hooks": "livesync.hooks.OpenHooks" if chosen == ["open"] else chosen[0]}


def _jwt() -> dict[str, Any]:
    key = environment.secret("SYNCSITE_JWT_KEY")
    return {
        "jwt_algorithms": tuple(environment.names("SYNCSITE_JWT_ALGORITHMS")),
        "jwt_keys": (key,) if key else (),
        "jwt_jwks_url": environment.text("SYNCSITE_JWT_JWKS_URL"),
        "jwt_issuer": environment.text("SYNCSITE_JWT_ISSUER"),
        "jwt_audience": environment.text("SYNCSITE_JWT_AUDIENCE"),
        "jwt_grace_s": environment.number("SYNCSITE_JWT_GRACE_S", 0, at_least=0, at_most=_YEAR_S),
    }
