"""Take in a history from elsewhere, on the central tables: with its identity and its times.

The row of the store says that the history is on its way; whoever meets it there is told to wait.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import ModuleType

from django.db.models import QuerySet

from livesync.models import Place, Store
from livesync.protocol.admission import admit, check_backend_id
from livesync.protocol.errors import StoreNotFoundError
from livesync.storage import postgresql, sqlite
from livesync.storage.engine import StoreState, TimedEvent
from livesync.storage.places import StoreElsewhereError
from livesync.storage.plan import EventRow, event_rows, text_bytes
from livesync.storage.resets import delete_some
from livesync.storage.transactions import durable_transaction

_STATEMENTS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}
_DELETED_AT_ONCE = 1_000
_ALL_HERE = (Place.DATABASE, Place.TO_DATABASE)


def begin(alias: str, store_id: str, backend_id: str, *, replace_empty: bool) -> StoreState:
    """Implements ``Engine.begin_adoption``."""
    with durable_transaction(alias):
        # the row is locked by whoever makes it, so two that begin at once take turns
        store, is_new = Store.objects.using(alias).get_or_create(
            store_id=store_id,
            defaults={
                "backend_id": backend_id,
                "place": Place.TO_DATABASE,
                "created_at": datetime.now(UTC),
            },
        )
        if not is_new:
            store = _locked(alias, store_id)
        if replace_empty and store.event_count == 0 and store.backend_id != backend_id:
            store.backend_id = backend_id
            store.place = Place.TO_DATABASE
            store.save(using=alias)
        check_backend_id(backend_id, stored=store.backend_id)
        return _state(store)


def adopt(alias: str, store_id: str, backend_id: str, events: Sequence[TimedEvent]) -> StoreState:
    """Implements ``Engine.adopt``."""
    with durable_transaction(alias) as connection:
        store = _locked(alias, store_id)
        check_backend_id(backend_id, stored=store.backend_id)
        batch = [timed.event for timed in events]
        store.head = admit(store.head, batch)
        _STATEMENTS[connection.vendor].insert_events(connection, _rows(store, events))
        store.event_count += len(batch)
        store.byte_count += text_bytes(batch)
        store.last_push_at = datetime.fromisoformat(events[-1].created_at)
        store.save(using=alias)
        return _state(store)


def end(alias: str, store_id: str, backend_id: str) -> StoreState:
    """Implements ``Engine.end_adoption``."""
    with durable_transaction(alias):
        store = _locked(alias, store_id)
        check_backend_id(backend_id, stored=store.backend_id)
        store.place = Place.DATABASE
        store.save(using=alias)
        return _state(store)


def drop(alias: str, store_id: str) -> None:
    """Implements ``Engine.drop_adoption``."""
    with durable_transaction(alias):
        store = _rows_of(alias, store_id).filter(place=Place.TO_DATABASE).first()
        if store is None:
            return
        # should the rest be cut off, an empty store is left that goes on waiting, and no half one
        store.generation += 1
        store.head = store.event_count = store.byte_count = 0
        store.save(using=alias)
    while delete_some(alias, store.pk, store.generation, _DELETED_AT_ONCE):
        pass
    with durable_transaction(alias):
        unchanged = {"place": Place.TO_DATABASE, "generation": store.generation, "event_count": 0}
        _rows_of(alias, store_id).filter(**unchanged).delete()


def _rows(store: Store, events: Sequence[TimedEvent]) -> list[EventRow]:
    return event_rows(store.pk, store.generation, store.event_count, events)


def _locked(alias: str, store_id: str) -> Store:
    store = _rows_of(alias, store_id).first()
    if store is None:
        raise StoreNotFoundError(store_id=store_id)
    if store.place not in _ALL_HERE:
        raise StoreElsewhereError
    return store


def _rows_of(alias: str, store_id: str) -> QuerySet[Store]:
    return Store.objects.using(alias).select_for_update().filter(store_id=store_id)


def _state(store: Store) -> StoreState:
    return StoreState(store.backend_id, store.head, store.event_count)
