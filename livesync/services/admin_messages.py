"""Administering a store by message, for who knows the admin secret; off without one.

Source: the messages AdminInfo and AdminResetRoom of LiveStore sync-cf 0.4.0,
``common/sync-message-types.ts``, which its server declares and never answers.
"""

import hashlib
import hmac
import logging
from datetime import UTC, datetime
from functools import partial
from typing import Any

from groundwork.visible_text import visible
from livesync.conf import get_settings
from livesync.hooks import Context
from livesync.protocol.errors import AuthError, LimitError
from livesync.services.purge import get_purger
from livesync.services.stores import count_live_pulls, inspect_store, reset_store
from livesync.services.wrong_secrets import WrongSecrets
from livesync.storage import get_readers

logger = logging.getLogger(__name__)

_wrong_secrets = WrongSecrets()


def is_enabled() -> bool:
    """Whether the site answers these messages at all."""
    return bool(get_settings().admin_secret)


def check_secret(given: str, context: Context) -> None:
    """Check, in constant time, that ``given`` is the admin secret.

    Raises:
        AuthError: it is another one, or the site has none; the same whatever the store.
        LimitError: wrong ones came from this address too often, so this one was not looked at.
    """
    address = context.client_address
    if address is not None and _wrong_secrets.is_over(address):
        raise LimitError("too many wrong admin secrets; try again in a minute")
    secret = get_settings().admin_secret
    is_right = hmac.compare_digest(given.encode(errors="surrogatepass"), secret.encode())
    if not (secret and is_right):
        if address is not None:  # code of the site may try as often as it likes
            _wrong_secrets.add(address)
        logger.warning(
            "an admin message about store %s from %s came with a wrong secret",
            visible(context.stored_store_id),
            "this process" if address is None else visible(address),
        )
        raise AuthError("Invalid admin secret")


async def describe_store(context: Context) -> dict[str, Any]:
    """What is known of a store, as JSON values.

    ``durableObjectId`` is all that the original declares: 64 hexadecimal digits made of the
    store's name alone.

    Raises:
        StoreNotFoundError: there is no such store.
        StorageUnavailableError: the database is out of reach.
    """
    store = await get_readers().run(inspect_store, context.stored_store_id)
    return {
        "durableObjectId": hashlib.sha256(store.store_id.encode()).hexdigest(),
        "storeId": store.store_id,
        "backendId": store.backend_id,
        "head": store.head,
        "eventCount": store.event_count,
        "byteCount": store.byte_count,
        "createdAt": _iso(store.created_at),
        "lastPushAt": _iso(store.last_push_at),
        "livePulls": count_live_pulls(store.store_id),
    }


async def reset_by_message(context: Context) -> None:
    """Reset a store as ``manage.py reset_store`` does; the log says that it was done by message.

    Raises:
        StoreNotFoundError: there is no such store.
        StorageUnavailableError: the database is out of reach; look whether the backend id changed.
    """
    by = f"an admin message over {context.transport}"
    if context.user is not None:
        by = f"{by} from {context.user.get_username()!r}"
    await get_readers().run(partial(reset_store, context.stored_store_id, by=by))
    get_purger().start()


def _iso(instant: datetime | None) -> str | None:
    """As JavaScript writes it."""
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
