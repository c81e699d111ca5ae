"""What the environment says about livesync."""

from pathlib import Path
from typing import Any

from syncsite import environment

AUTH_HOOKS = {
    "open": "livesync.hooks.OpenHooks",
    "shared-secret": "livesync.hooks.SharedSecretHooks",
    "django": "livesync.hooks.SignedInHooks",
}


def livesync_settings(*, development: bool, data_directory: Path) -> dict[str, Any]:
    """The LIVESYNC setting.

    Without SYNCSITE_AUTH livesync itself lets in, in development, this machine and nobody else;
    SYNCSITE_EXPOSE=1 lets in the local network. Loopback origins are not named here: in development
    livesync allows them by itself.
    """
    chosen = environment.text("SYNCSITE_AUTH")
    engine = environment.text("SYNCSITE_ENGINE")
    values: dict[str, Any] = {
        "allowed_origins": tuple(environment.names("SYNCSITE_ALLOWED_ORIGINS")),
        "cors": environment.flag("SYNCSITE_CORS", default=development),
        "open_to_network": development and environment.flag("SYNCSITE_EXPOSE"),
        "shared_secret": environment.secret("SYNCSITE_AUTH_SECRET"),
        "admin_secret": environment.secret("SYNCSITE_ADMIN_SECRET"),
        "files_directory": str(data_directory / "stores"),
    }
    if engine:
        values["engine"] = engine
    if chosen:
        values["hooks"] = AUTH_HOOKS.get(chosen, chosen)
    return values
