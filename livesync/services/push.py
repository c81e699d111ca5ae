"""Append a batch to a store's eventlog."""

import asyncio
from collections.abc import Sequence

from groundwork.connections import refuse_inside_atomic
from livesync.protocol.events import Event
from livesync.services.append import submit
from livesync.services.hub import get_hub
from livesync.storage.engine import Append, Appended


async def push(store_id: str, backend_id: str | None, batch: Sequence[Event]) -> Appended:
    """``start_push``, for callers that may be anywhere, and wait for what became of it.

    Raises:
        InsideTransactionError: the caller holds a transaction on livesync's database.
    """
    refuse_inside_atomic("livesync")
    return await start_push(store_id, backend_id, batch)


def start_push(
    store_id: str, backend_id: str | None, batch: Sequence[Event]
) -> "asyncio.Future[Appended]":
    """Hand a batch to the writer; batches of one caller are stored in the order of its calls.

    The future is resolved after the commit; by then the writer has handed the batch to every hub
    of this process, in commit order and whatever becomes of the caller. An empty batch stores
    nothing, but makes the store.

    For the event loop of a server, where nobody holds a transaction; others call ``push``.

    The future raises:
        BackendIdMismatchError: the client knows another history of this store.
        ServerAheadError: the client has not seen every stored event.
        StorageUnavailableError: nothing was stored; the database is out of reach.
        CommitUnknownError: it may have been stored; the caller must not claim either.
    """
    get_hub()  # a process that only pushes has a hub too: it tells the others
    return submit(Append(store_id, backend_id, batch))
