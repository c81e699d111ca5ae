"""Where a client puts the secret by which it is known."""

from collections.abc import Mapping, Sequence
from typing import Any

BEARER = ("bearer",)


def given_token(
    payload: Any, headers: Mapping[str, str], *, schemes: Sequence[str] = BEARER
) -> str:
    """The token of ``Authorization: Bearer ...``, else of ``syncPayload: { authToken: "..." }``.

    Args:
        payload: the client's payload as JSON values; None when it sends none.
        headers: names in lower case.
        schemes: which schemes of the header count, in lower case.

    Returns:
        "" when there is none.
    """
    return _in_header(headers, schemes) or _in_payload(payload)


def _in_header(headers: Mapping[str, str], schemes: Sequence[str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() in schemes else ""


def _in_payload(payload: Any) -> str:
    # a site's payload_schema may have made it an object
    found = payload.get("authToken") if isinstance(payload, dict) else None
    token = getattr(payload, "authToken", found)
    return token if isinstance(token, str) else ""
