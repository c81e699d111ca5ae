"""What the URL of a connection fixed, and whether a message keeps to it."""

from typing import Any

from msgspec import Raw

from groundwork import strict_json
from livesync.protocol.errors import PayloadMismatchError, StoreMismatchError

_KNOWN_TEXT_MAX_BYTES = 16_384  # white space makes any payload as long as a frame


class Binding:
    """The store and the payload that a connection's URL names; no message may speak for others.

    Args:
        store_id: as in the URL.
        payload: as in the URL, as JSON values; None when there is none. It is the one that was
            validated.
    """

    __slots__ = ("_known_text", "_payload", "store_id")

    def __init__(self, store_id: str, payload: Any = None) -> None:
        self.store_id = store_id
        self._payload = payload
        self._known_text: bytes | None = None

    def check(self, store_id: str, payload: Raw | None) -> None:
        """Check that a message names the connection's own store and, if any, its own payload.

        Clients repeat the URL's payload in every message and always in the same words, so a text
        that was found equal once is not read again.

        Raises:
            StoreMismatchError: it names another store.
            PayloadMismatchError: it carries another payload, which nobody has validated.
        """
        if store_id != self.store_id:
            raise StoreMismatchError
        if payload is None:
            return
        text = bytes(payload)
        if text == self._known_text:
            return
        if not _is_same(strict_json.loads(text.decode()), self._payload):
            raise PayloadMismatchError
        if len(text) <= _KNOWN_TEXT_MAX_BYTES:
            self._known_text = text


def _is_same(value: Any, other: Any) -> bool:
    """Whether two JSON values are equal in JavaScript: ``true`` is not 1 there, but 1.0 is."""
    match value, other:
        case dict(), dict():
            return value.keys() == other.keys() and all(_is_same(value[k], other[k]) for k in value)
        case list(), list():
            return len(value) == len(other) and all(map(_is_same, value, other))
        case (bool(), _) | (_, bool()):
            return value is other
    return bool(value == other)
