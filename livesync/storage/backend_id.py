"""Backend ids: the identity of one history of one store."""

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits + "_-"
_LENGTH = 21


def new_backend_id() -> str:
    """A fresh nanoid: 21 characters, 126 random bits, as LiveStore's own servers make them."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
