"""Does this batch continue this head?"""

from collections.abc import Sequence

from livesync.protocol.errors import BackendIdMismatchError, ServerAheadError
from livesync.protocol.events import Event


def check_backend_id(known: str | None, *, stored: str) -> None:
    """Check that the client speaks of the history that is stored.

    Args:
        known: the backend id the client has learnt; None when it has never met the server.
        stored: the store's backend id, read in the same transaction.

    Raises:
        BackendIdMismatchError: they differ.
    """
    if known is not None and known != stored:
        raise BackendIdMismatchError(expected=stored, received=known)


def admit(head: int, batch: Sequence[Event]) -> int:
    """Check that ``batch`` continues an eventlog that ends at ``head``.

    Args:
        head: sequence number of the last stored event; 0 for an empty store.
        batch: one or more events, oldest first.

    Returns:
        The head after the append.

    Raises:
        ServerAheadError: the batch was made on another head than the store's, be it an older one
            or one that the store has not reached.

    Source: LiveStore sync-cf, ``cf-worker/do/push.ts``. That the batch is a chain in itself was
    checked when it was decoded.
    """
    parent = batch[0].parent_seq_num
    if parent != head:
        raise ServerAheadError(expected=head, provided=parent)
    return batch[-1].seq_num
