"""The pages after a cursor."""

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from livesync import metrics
from livesync.conf import get_settings
from livesync.protocol.admission import check_backend_id
from livesync.protocol.chunking import cut
from livesync.protocol.errors import CommitUnknownError, StorageUnavailableError
from livesync.protocol.pages import encode_page
from livesync.services.append import submit
from livesync.services.patience import patiently
from livesync.storage import get_engine, get_readers
from livesync.storage.engine import Append, Slice

logger = logging.getLogger(__name__)


class Page(NamedTuple):
    """A PullResponse as JSON text, its size in bytes, and where the reader stands behind it.

    ``remaining`` counts the stored events that follow, ``items`` are the encoded ones of the page.
    """

    text: str
    size: int
    backend_id: str
    last_seq_num: int
    remaining: int
    items: Sequence[str]


async def read_pages(
    store_id: str, backend_id: str | None, after: int, *, retry_for_s: float = 0.0
) -> AsyncGenerator[Page, None]:
    """The stored events above ``after``, page by page: one at least, the last without a successor.

    Holds no database connection between pages. A store nobody has spoken of before is made, since
    its backend id is told here.

    Args:
        store_id: whose events.
        backend_id: the history the reader knows; None for one that starts anew.
        after: the last number the reader has seen; 0 for none.
        retry_for_s: how long to try again, at each read, while the database is out of reach.

    Raises:
        BackendIdMismatchError: the store has, or has got meanwhile, another history.
        StorageUnavailableError: the database is out of reach.
    """
    settings = get_settings()
    # the first read is one page: it is there at once, and a client that takes none holds no more
    max_events = settings.page_max_events
    while True:
        found = await patiently(partial(_read, store_id, after, max_events), for_s=retry_for_s)
        max_events = settings.read_max_events
        check_backend_id(backend_id, stored=found.state.backend_id)
        backend_id = found.state.backend_id
        if after > found.state.head:
            metrics.CLIENT_AHEAD.inc()
            logger.warning(
                "a reader of store %r has seen %s, but the head is %s: is this an older backup?",
                store_id,
                after,
                found.state.head,
            )
        for page in _cut_into_pages(found, after):
            yield page
            after = page.last_seq_num
        if not found.remaining:
            return


async def _read(store_id: str, after: int, max_events: int) -> Slice:
    while True:
        with metrics.READ_DURATION.time():
            found = await get_readers().run(_read_slice, store_id, after, max_events)
        if found is not None:
            metrics.READ_EVENTS.inc(len(found.events))
            return found
        # through the writer: it is the only one that writes to this database here
        try:
            await submit(Append(store_id, None, ()))
        except CommitUnknownError as error:
            # making a store again does no harm, so this may be tried again like any other fault
            raise StorageUnavailableError from error


def _read_slice(store_id: str, after: int, max_events: int) -> Slice | None:
    max_bytes = get_settings().read_max_bytes
    return get_engine().read(store_id, after, max_events=max_events, max_bytes=max_bytes)


def _cut_into_pages(found: Slice, after: int) -> Iterator[Page]:
    settings = get_settings()
    backend_id = found.state.backend_id
    if not found.events:
        text = encode_page((), remaining=0, backend_id=backend_id)
        yield Page(text, len(text), backend_id, after, 0, ())
        return
    pieces = cut(
        found.events, max_events=settings.page_max_events, max_bytes=settings.page_max_bytes
    )
    for start, stop, size in pieces:
        remaining = found.remaining + len(found.events) - stop
        items = found.events[start:stop]
        text = encode_page(items, remaining=remaining, backend_id=backend_id)
        yield Page(text, size, backend_id, found.seq_nums[stop - 1], remaining, items)
