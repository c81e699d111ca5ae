"""Backend ids: the identity of one history of one store."""

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits + "_-"
_LENGTH = 21
_MAX_LENGTH = 128


def new_backend_id() -> str:
    """A fresh nanoid: 21 characters, 126 random bits, as LiveStore's own servers make them."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def is_backend_id(text: str) -> bool:
    """Whether ``text`` can be the backend id of a history from elsewhere."""
    return 0 < len(text) <= _MAX_LENGTH and set(text) <= set(_ALPHABET)
