"""Read settings from environment variables; an empty variable counts as absent."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})


def text(name: str, default: str = "") -> str:
    """The variable's value without surrounding blanks, or ``default``."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool = False) -> bool:
    """The variable as yes or no.

    Raises:
        ImproperlyConfigured: it is neither.
    """
    value = text(name, "yes" if default else "no").lower()
    if value not in _YES | _NO:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}")
    return value in _YES


def number(name: str, default: int, *, at_least: int, at_most: int) -> int:
    """The variable as a whole number.

    Raises:
        ImproperlyConfigured: it is none, or out of bounds.
    """
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit() or not at_least <= int(value) <= at_most:
        raise ImproperlyConfigured(
            f"{name} must be a number from {at_least} to {at_most}, not {value!r}"
        )
    return int(value)


def names(name: str) -> list[str]:
    """The variable as a list whose items are parted by commas."""
    return [item.strip() for item in text(name).split(",") if item.strip()]


def secret(name: str) -> str:
    """A secret from the variable or from the file that ``<name>_FILE`` names; "" without both.

    Raises:
        ImproperlyConfigured: both are set, or the file cannot be read.
    """
    path = text(f"{name}_FILE")
    if not path:
        return text(name)
    if text(name):
        raise ImproperlyConfigured(f"set {name} or {name}_FILE, not both")
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from error
