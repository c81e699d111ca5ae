"""What a JSON Web Token says, once its signature is known to be right.

| claim | meaning |
|---|---|
| ``exp`` | must be there; the socket is closed when it has passed |
| ``sub`` | whom store permissions are about |
| ``stores`` | list of the store ids that the token opens |
| ``store_prefixes`` | list of what the ids of further stores begin with |
| ``access`` | ``"read-write"``, which is the default, or ``"read-only"`` |

A token with neither ``stores`` nor ``store_prefixes`` opens every store. ``jwt_claims_prefix``
stands before the last three names, for issuers whose additional claims have to be URLs. A claim of
another shape is refused rather than passed over: it was meant to say something.
"""

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from livesync.auth.grants import Scope
from livesync.conf import LivesyncSettings

_READ_ONLY, _READ_WRITE = "read-only", "read-write"
_SUBJECT_MAX_CHARS = 255
_LAST_SECOND = 253_402_300_799
"""The last one that a date can hold, in the year 9999."""


class ClaimError(ValueError):
    """A claim is missing, or says what it must not; the text names the claim, not its value."""


def read_end(claims: Mapping[str, Any], tuned: LivesyncSettings) -> datetime:
    """When the token lets in no more: as it expires or, behind that, at the end of its grace.

    Raises:
        ClaimError: that has passed, or ``exp`` is no instant.
    """
    exp = claims["exp"]
    if isinstance(exp, bool) or not isinstance(exp, int | float) or not math.isfinite(exp):
        raise ClaimError("exp is no number")
    now = time.time()
    end = exp + tuned.jwt_leeway_s
    if end <= now:
        end += tuned.jwt_grace_s
    if end <= now:
        raise ClaimError("exp has passed")
    return datetime.fromtimestamp(min(end, _LAST_SECOND), UTC)


def read_subject(claims: Mapping[str, Any]) -> str | None:
    """``sub``; None where there is none.

    Raises:
        ClaimError: no database could hold it.
    """
    subject = claims.get("sub")
    if subject is None:
        return None
    if not isinstance(subject, str) or not _is_storable(subject):
        raise ClaimError("sub is no text of at most 255 characters")
    return subject


def read_scope(claims: Mapping[str, Any], prefix: str) -> Scope:
    """Which stores the token opens.

    Raises:
        ClaimError: a claim about it cannot be understood.
    """
    stores = _texts(claims, f"{prefix}stores")
    prefixes = _texts(claims, f"{prefix}store_prefixes")
    access = claims.get(f"{prefix}access", _READ_WRITE)
    if access not in (_READ_ONLY, _READ_WRITE):
        raise ClaimError(f"{prefix}access is neither {_READ_ONLY} nor {_READ_WRITE}")
    return Scope(
        stores=frozenset(stores or ()),
        prefixes=tuple(prefixes or ()),
        is_everything=stores is None and prefixes is None,
        may_push=access == _READ_WRITE,
    )


def _texts(claims: Mapping[str, Any], name: str) -> list[str] | None:
    if name not in claims:
        return None
    value = claims[name]
    # an empty text would be the beginning of every id
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        raise ClaimError(f"{name} is no list of texts")
    return value


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text and 0 < len(text) <= _SUBJECT_MAX_CHARS
