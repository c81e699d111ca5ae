"""Where a store lives: its row in the central tables says so, whichever engine keeps its events.

Nobody has to ask the row before he works on a store: an engine that does not keep it says so, under
the lock of the store, and only then the row is looked at.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from django.db.models import QuerySet

from groundwork.connections import DatabaseUnavailableError, with_connection
from livesync.models import Place, Store
from livesync.protocol.errors import StorageUnavailableError, StoreArrivingError
from livesync.storage.faults import unavailable
from livesync.storage.transactions import durable_transaction

T = TypeVar("T")

_INSERT = """
    INSERT INTO livesync_store (store_id, backend_id, place, created_at, generation,
                                oldest_generation, head, event_count, byte_count)
    VALUES (%s, %s, %s, %s, 1, 1, 0, 0, 0) ON CONFLICT DO NOTHING
"""


class StoreElsewhereError(StorageUnavailableError):
    """Another engine keeps the store; nothing was done. Whoever asks finds its place, asks there.

    Leaves ``livesync.storage`` only where the other engine is not set up.
    """


def check_place(place: str) -> None:
    """Check that the central tables keep a store; ``place`` was read with what is done to it.

    Raises:
        StoreElsewhereError: another engine does.
        StoreArrivingError: nobody does yet.
    """
    if place == Place.DATABASE:
        return
    raise StoreElsewhereError if place == Place.FILES else StoreArrivingError


def find_places(alias: str, store_ids: Sequence[str]) -> dict[str, str]:
    """The places of those stores that exist.

    Raises:
        StorageUnavailableError: the database is out of reach.
    """
    stores = Store.objects.using(alias).filter(store_id__in=list(store_ids))
    return read_rows(alias, lambda: dict(stores.values_list("store_id", "place")))


def read_rows(alias: str, work: Callable[[], T]) -> T:
    """What ``work`` reads through Django's models.

    Raises:
        StorageUnavailableError: the database is out of reach.
    """
    try:
        return with_connection(alias, lambda _: work())
    except DatabaseUnavailableError as error:
        raise unavailable(error) from error


def add_stores(alias: str, backend_ids: dict[str, str], place: Place) -> set[str]:
    """Write down that new stores live at ``place``, unless others have said something else.

    What is there must be on disk: from now on, that it is missing means that it was lost.

    Args:
        alias: of the central tables.
        backend_ids: of each store's id, the history it begins with.
        place: where they live.

    Returns:
        The ids of those that had no row.

    Raises:
        StorageUnavailableError: the database is out of reach.
    """
    added = set()
    with durable_transaction(alias) as connection, connection.cursor() as cursor:
        now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
        for store_id in sorted(backend_ids):  # one order for everyone: nobody deadlocks
            cursor.execute(_INSERT, (store_id, backend_ids[store_id], place, now))
            if cursor.rowcount:
                added.add(store_id)
    return added


def change_place(alias: str, store_id: str, former: Place, place: Place) -> None:
    """Say that a store lives at ``place``, if it lived at ``former``."""
    with durable_transaction(alias):
        Store.objects.using(alias).filter(store_id=store_id, place=former).update(place=place)


def drop_row(alias: str, store_id: str, place: Place) -> None:
    """Forget a store that lives at ``place``."""
    with durable_transaction(alias):
        Store.objects.using(alias).filter(store_id=store_id, place=place).delete()


def locked_row(alias: str, store_id: str) -> QuerySet[Store]:
    """The row of a store, locked where it is read; within a transaction."""
    return Store.objects.using(alias).select_for_update().filter(store_id=store_id)
