"""Look up, verify, reset a store."""

from livesync.services import hints
from livesync.services.hints import Hint
from livesync.services.hub import all_hubs
from livesync.storage import get_engine

PURGE_EVENTS = 1_000


def reset_store(store_id: str) -> str:
    """Give a store a new, empty history and tell everybody; returns the new backend id.

    Every live pull of the store ends at once with a BackendIdMismatchError, in this process and,
    where there is a channel layer between them, in the others; elsewhere at the next reconcile
    tick. The old events are deleted by ``purge_ended_histories``.

    Raises:
        StoreNotFoundError: there is no such store.
    """
    backend_id = get_engine().reset(store_id)
    hint = Hint(store_id, backend_id, 0)
    for hub in all_hubs():
        hub.hint_from_thread(hint)
    hints.send_hint(hint)
    return backend_id


def purge_ended_histories() -> int:
    """Delete the events that resets have left behind, in small transactions; how many."""
    deleted = 0
    while count := get_engine().purge(max_events=PURGE_EVENTS):
        deleted += count
    return deleted
