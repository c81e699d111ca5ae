"""The first start makes an admin, so that nobody needs a default password."""

import secrets
from typing import NamedTuple

from django.contrib.auth import get_user_model

from syncsite import environment

_USERNAME = "admin"
_PASSWORD_BYTES = 15


class FirstAdmin(NamedTuple):
    """An admin made just now; ``password`` is None when the operator chose it."""

    username: str
    password: str | None


def make_first_admin() -> FirstAdmin | None:
    """Make the user ``admin`` if there is no user at all.

    The password is SYNCSITE_ADMIN_PASSWORD (or what the file SYNCSITE_ADMIN_PASSWORD_FILE holds),
    else a random one.
    """
    users = get_user_model()._default_manager
    if users.exists():
        return None
    chosen = environment.secret("SYNCSITE_ADMIN_PASSWORD")
    password = chosen or secrets.token_urlsafe(_PASSWORD_BYTES)
    users.create_superuser(_USERNAME, email="", password=password)
    return FirstAdmin(_USERNAME, None if chosen else password)
