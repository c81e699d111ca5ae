"""End a history and begin another, on the central tables; delete what was ended, piece by piece."""

from django.db import connections
from django.db.models import Exists, F, Q, QuerySet

from livesync.models import Store, StoredEvent
from livesync.protocol.errors import StoreNotFoundError
from livesync.storage.backend_id import new_backend_id
from livesync.storage.engine import Reset, StoreDetails
from livesync.storage.places import check_place
from livesync.storage.transactions import durable_transaction

_HAS_ENDED = Q(oldest_generation__lt=F("generation"))
_DELETE = """
    DELETE FROM livesync_storedevent WHERE (store_id, generation, seq_num) IN (
        SELECT store_id, generation, seq_num FROM livesync_storedevent
        WHERE store_id = %s AND generation < %s ORDER BY generation, seq_num LIMIT %s {lock}
    )
"""
# several processes may be at it at once: each takes others of the rows
_LOCK = {"postgresql": "FOR UPDATE SKIP LOCKED", "sqlite": ""}


def reset(alias: str, store_id: str) -> Reset:
    """Implements ``Engine.reset``."""
    # never tried again: if the COMMIT was what failed, that might end the new history as well
    with durable_transaction(alias):
        store = Store.objects.using(alias).select_for_update().filter(store_id=store_id).first()
        if store is None:
            raise StoreNotFoundError(store_id=store_id)
        check_place(store.place)
        done = Reset(store_id, store.backend_id, new_backend_id(), store.event_count)
        store.generation += 1
        store.backend_id = done.backend_id
        store.head = store.event_count = store.byte_count = 0
        store.last_push_at = None
        store.save(using=alias)
        return done


def lost_events(alias: str, store: StoreDetails) -> int:
    """Implements ``Engine.lost_events``."""
    stored = StoredEvent.objects.using(alias).filter(store_id=store.key)
    later = stored.filter(generation__gt=store.generation).count()
    return later + stored.filter(generation__lt=store.oldest_generation).count()


def ended_events(alias: str, store: StoreDetails) -> int:
    """Implements ``Engine.ended_events``."""
    return _of_ended_histories(alias, store.key, store.generation).count()


def has_ended_events(alias: str) -> bool:
    """Implements ``Engine.has_ended_events``."""
    return Store.objects.using(alias).filter(_HAS_ENDED).exists()


def purge(alias: str, max_events: int) -> int:
    """Implements ``Engine.purge``."""
    with_ended = Store.objects.using(alias).filter(_HAS_ENDED).order_by("id")
    for key, generation in with_ended.values_list("pk", "generation"):
        if deleted := delete_some(alias, key, generation, max_events):
            return deleted
        _mark_purged(alias, key, generation)
    return 0


def delete_some(alias: str, key: int, generation: int, max_events: int) -> int:
    """Delete events of a store's histories before ``generation``; how many."""
    connection = connections[alias]
    statement = _DELETE.format(lock=_LOCK[connection.vendor])
    with connection.cursor() as cursor:
        cursor.execute(statement, (key, generation, max_events))
        return int(cursor.rowcount)


def _mark_purged(alias: str, key: int, generation: int) -> None:
    # looks again: what others were deleting a moment ago is back if they failed
    left = _of_ended_histories(alias, key, generation)
    stores = Store.objects.using(alias).filter(~Exists(left), pk=key)
    stores.filter(oldest_generation__lt=generation).update(oldest_generation=generation)


def _of_ended_histories(alias: str, key: int, generation: int) -> QuerySet[StoredEvent]:
    return StoredEvent.objects.using(alias).filter(store_id=key, generation__lt=generation)
