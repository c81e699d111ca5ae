"""Take in a history from elsewhere, in the file of a store: with its identity and its times.

The file is frozen until all of the history is there; whoever meets it asks where the store lives.
"""

from collections.abc import Sequence

from livesync.protocol.admission import admit, check_backend_id
from livesync.storage.engine import StoreState, TimedEvent
from livesync.storage.files.appending import append_rows, store_row
from livesync.storage.files.store_file import StoreFile
from livesync.storage.plan import event_rows, text_bytes


def begin(file: StoreFile, backend_id: str, *, replace_empty: bool) -> StoreState:
    """As ``Engine.begin_adoption``, for a file that is there."""
    with file.transaction():
        known = file.known(even_if_frozen=True)
        if known.backend_id != backend_id and known.event_count == 0 and replace_empty:
            file.set_frozen(True)
            file.driver.execute("UPDATE context_7 SET backendId = ?", (backend_id,))
            known = file.known(even_if_frozen=True)
    check_backend_id(backend_id, stored=known.backend_id)
    return known.state


def adopt(
    file: StoreFile, backend_id: str, events: Sequence[TimedEvent], *, even_if_frozen: bool
) -> StoreState:
    """As ``Engine.adopt``."""
    batch = [timed.event for timed in events]
    with file.transaction():
        known = file.known(even_if_frozen=even_if_frozen)
        check_backend_id(backend_id, stored=known.backend_id)
        row = store_row(file, known)
        row.head = admit(known.head, batch)
        row.event_count += len(batch)
        row.byte_count = text_bytes(batch)
        rows = event_rows(0, known.generation, known.event_count, events)
        append_rows(file, known, row, rows)
        return file.known(even_if_frozen=True).state
