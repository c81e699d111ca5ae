"""Where a store is to be found, and what a client says about itself when it connects."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Raw

Headers = Mapping[str, str] | Callable[[], Mapping[str, str]]
"""Headers of the handshake or of each request, or what gives them each time they are needed."""


class Introduction(NamedTuple):
    """What is said at one connection: its URL, its headers, the payload that messages repeat."""

    url: str
    headers: Mapping[str, str]
    payload: Raw | None


class Address:
    """A store on a server.

    Args:
        url: of the server, with ``ws``, ``wss``, ``http`` or ``https`` and without a query.
        store_id: the store.
        payload: what the server validates, any JSON but null; or a function that gives it.
        headers: more headers, such as ``Authorization``; or a function that gives them.

    Raises:
        ValueError: the URL is none of these.
    """

    def __init__(self, url: str, store_id: str, *, payload: Any, headers: Headers) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
            raise ValueError(
                "url must begin with ws://, wss://, http:// or https:// and name a host"
            )
        if parts.query or parts.fragment:
            raise ValueError("url must have no query: store and payload are put there")
        self.url = url
        self.store_id = store_id
        self.is_websocket = parts.scheme in ("ws", "wss")
        self.is_secure = parts.scheme in ("wss", "https")
        self.host = parts.hostname
        self.port = parts.port or (443 if self.is_secure else 80)
        self._payload = payload
        self._headers = headers

    def introduce(self) -> Introduction:
        """What to say now."""
        payload = self._payload() if callable(self._payload) else self._payload
        headers = self._headers() if callable(self._headers) else self._headers
        text = None if payload is None else json.dumps(payload, separators=(",", ":"))
        raw = None if text is None else Raw(text.encode())
        return Introduction(self._sync_url(text), headers, raw)

    def _sync_url(self, payload: str | None) -> str:
        parameters = {"storeId": self.store_id}
        if payload is not None:
            # twice, as LiveStore's own client does: the server unescapes it once more
            parameters["payload"] = quote(payload, safe="")
        parameters["transport"] = "ws" if self.is_websocket else "http"
        base = self.url if urlsplit(self.url).path else f"{self.url}/"
        return f"{base}?{urlencode(parameters)}"
