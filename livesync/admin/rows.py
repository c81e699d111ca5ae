"""The row of a store as it stands, wherever its events are."""

import logging

from groundwork.visible_text import visible
from livesync.models import Place, Store
from livesync.protocol.errors import LivesyncError
from livesync.services.stores import inspect_store
from livesync.storage.engine import StoreDetails

logger = logging.getLogger(__name__)

_TOLD_BY_FILE = StoreDetails._fields[2:-1]


def as_it_stands(row: Store) -> Store:
    """``row`` with what only the file of a store says; it is not to be saved.

    Where the file cannot be read, the row stays as it is: without events.
    """
    if row.place != Place.FILES:
        return row
    try:
        details = inspect_store(row.store_id)
    except LivesyncError as error:
        logger.warning("store %s cannot be shown as it is: %s", visible(row.store_id), error)
        return row
    for field in _TOLD_BY_FILE:
        setattr(row, field, getattr(details, field))
    return row
