"""Is this a sync request, and for which store?

Search parameters alone decide, on any path: ``storeId``, ``transport`` (``ws`` or ``http``) and an
optional ``payload``. The raw bytes of the query are read here, strictly: what a lenient parser
repairs (``%ff``, a parameter given twice) could name one store to the check and another to the code
behind it.

Source: LiveStore sync-cf 0.4.0, ``common/mod.ts`` (``SearchParamsSchema``) and
``cf-worker/worker.ts``.
"""

import re
import unicodedata
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import unquote_to_bytes

from groundwork import strict_json

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SEPARATORS_MAX = 64  # a URL of nothing but them takes as long as hundreds of honest ones
_ESCAPED_NAME_MAX_BYTES = 3 * len("transport")  # unescaping a longer one is work for nothing
_REFUSED_CATEGORIES = frozenset(
    {"Cc", "Cs", "Zl", "Zp"}
)  # break a header, UTF-8 or a line of a log

Transport = Literal["ws", "http", "rpc"]
"""How a client talks. A URL says ``ws`` or ``http``; where RPC is its path says so."""


class SyncRequest(NamedTuple):
    """What a sync URL says: the store, how to talk, and the client's own payload, if any."""

    store_id: str
    transport: Transport
    payload: Any = None


def match_sync_request(
    query_string: bytes,
    *,
    store_id_max_bytes: int = 512,
    payload_max_bytes: int = 8_192,
    payload_max_depth: int = 64,
) -> SyncRequest | None:
    """Read the query of a URL as a sync request.

    Args:
        query_string: the raw bytes behind the ``?``, as the client sent them.
        store_id_max_bytes: most UTF-8 bytes of a store id.
        payload_max_bytes: most UTF-8 bytes of the payload's JSON.
        payload_max_depth: deepest nesting of the payload.

    Returns:
        None when it is not one: a parameter is missing, doubled, malformed or over its limit.
        Parameters of other names are ignored, up to 64 ``&``.
    """
    if query_string.count(b"&") > _SEPARATORS_MAX:
        return None
    try:
        values = _sync_parameters(query_string)
        store_id = _read_store_id(values[b"storeId"], store_id_max_bytes)
        transport = values[b"transport"].decode()
        if transport not in ("ws", "http"):
            return None
        payload = None
        if b"payload" in values:
            payload = _read_payload(values[b"payload"], payload_max_bytes, payload_max_depth)
    except (KeyError, ValueError):
        return None
    return SyncRequest(store_id, cast(Transport, transport), payload)


def is_store_id(text: str, *, max_bytes: int) -> bool:
    """Whether a sync URL can name a store of this id.

    Args:
        text: the id.
        max_bytes: most UTF-8 bytes of a store id.
    """
    try:
        _read_store_id(text.encode(), max_bytes)
    except ValueError:
        return False
    return True


def _sync_parameters(query_string: bytes) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for pair in query_string.split(b"&"):
        name, _, value = pair.partition(b"=")
        if len(name) > _ESCAPED_NAME_MAX_BYTES:
            continue
        name = unquote_to_bytes(name.replace(b"+", b" "))
        if name not in (b"storeId", b"transport", b"payload"):
            continue
        if name in values:
            raise ValueError("given twice")
        values[name] = _unescape(value.replace(b"+", b" "))
    return values


def _unescape(value: bytes) -> bytes:
    if _BROKEN_ESCAPE.search(value):
        raise ValueError("a percent sign without two hexadecimal digits")
    return unquote_to_bytes(value)


def check_store_id(store_id: str, *, max_bytes: int) -> None:
    """Check that ``store_id`` can name a store.

    Raises:
        ValueError: it is empty, longer than ``max_bytes`` in UTF-8, or cannot be written in UTF-8
            or in one line of a log.
    """
    if not 0 < len(store_id.encode(errors="surrogatepass")) <= max_bytes:
        raise ValueError("empty or too long")
    if not store_id.isprintable() and any(
        unicodedata.category(character) in _REFUSED_CATEGORIES for character in store_id
    ):
        raise ValueError("not printable")


def _read_store_id(value: bytes, max_bytes: int) -> str:
    store_id = value.decode()
    check_store_id(store_id, max_bytes=max_bytes)
    return store_id


def _read_payload(value: bytes, max_bytes: int, max_depth: int) -> Any:
    # the client encodes it twice; a value that was encoded once has nothing left to unescape
    text = strict_json.decode_utf8(_unescape(value))
    if len(text.encode()) > max_bytes or strict_json.is_deeper_than(text, max_depth):
        raise ValueError("too large or too deep")
    return strict_json.loads(text)
