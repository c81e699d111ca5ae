"""Look up and reset a store."""

import logging
from collections.abc import Iterator

from groundwork.visible_text import visible
from livesync.protocol.errors import StoreNotFoundError
from livesync.services import hints
from livesync.services.announcer import announce_reset
from livesync.services.hints import Hint
from livesync.services.hub import all_hubs
from livesync.storage import get_engine
from livesync.storage.engine import Reset, StoreDetails

logger = logging.getLogger(__name__)

_STORES_PER_QUERY = 500


def inspect_store(store_id: str) -> StoreDetails:
    """What is known of a store without reading its events.

    Raises:
        StoreNotFoundError: there is no such store.
    """
    store = get_engine().inspect(store_id)
    if store is None:
        raise StoreNotFoundError(store_id=store_id)
    return store


def all_store_ids() -> Iterator[str]:
    """The ids of all stores, in their order."""
    after = ""
    while found := get_engine().store_ids(after=after, max_stores=_STORES_PER_QUERY):
        yield from found
        after = found[-1]


def count_ended_events(store: StoreDetails) -> int:
    """Events of before a reset that are not deleted yet; takes time in proportion."""
    return get_engine().ended_events(store)


def count_live_pulls(store_id: str) -> int:
    """Open live pulls of a store in this process; other processes have their own."""
    return sum(hub.count(store_id) for hub in all_hubs())


def reset_store(store_id: str, *, by: str = "code of the site") -> Reset:
    """Give a store a new, empty history and tell everybody.

    Every live pull of the store ends at once with a BackendIdMismatchError, in this process and,
    where there is a channel layer between them, in the others; elsewhere at the next reconcile
    tick. The old events are deleted by ``livesync.services.purge``.

    Args:
        store_id: whose history ends.
        by: who wants it, for the log.

    Raises:
        StoreNotFoundError: there is no such store.
        StorageUnavailableError: the database is out of reach; look whether the backend id changed.
    """
    done = get_engine().reset(store_id)
    logger.warning(
        "store %s was reset by %s: backend id %s is now %s, %d events are dropped",
        visible(store_id),
        by,
        done.old_backend_id,
        done.backend_id,
        done.event_count,
    )
    tell_everybody(Hint(store_id, done.backend_id, 0))
    announce_reset(done, by=by)
    return done


def tell_everybody(hint: Hint) -> None:
    """Tell the live pulls of a store where it stands, past the writer: here and elsewhere."""
    for hub in all_hubs():
        hub.hint_from_thread(hint)
    hints.send_hint(hint)
