"""A store of this process: the services, without a connection between.

What goes in and out is the same text as on a wire, read and checked by the same code.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from msgspec import Raw

from groundwork.connections import refuse_inside_atomic
from livesync.client.calls import Call, open_chunk, overfull
from livesync.client.errors import ClosedError, LostError
from livesync.client.link import Sent
from livesync.protocol import messages, requests
from livesync.protocol.answers import PulledPage
from livesync.protocol.errors import CommitUnknownError, RemoteError, StorageUnavailableError
from livesync.protocol.events import Cursor, Event
from livesync.services.hub import get_hub
from livesync.services.limits import get_limits
from livesync.services.live_pull import LivePull
from livesync.services.outlet import ReadingOutlet
from livesync.services.pull import read_pages
from livesync.services.push import push as push_batch

_ALIAS = "livesync"


class InProcessLink:
    """A store in the database of this Django process.

    It has its own transactions, and refuses callers that hold one on livesync's database. Nobody
    is asked who they are: whoever runs code here may do anything.
    """

    def __init__(self, store_id: str) -> None:
        self._store_id = store_id
        self._open: set[_Outlet] = set()
        self._is_closed = False

    async def push(self, batch: Sequence[Event], backend_id: str, sent: Sent) -> None:
        self._require_open()
        checked = self._checked(batch, backend_id)
        sent()
        try:
            await push_batch(self._store_id, backend_id, checked)
        except CommitUnknownError as error:
            raise LostError(str(error)) from error
        except StorageUnavailableError as error:
            raise RemoteError(str(error), name=type(error).__name__) from error

    async def pull(self, cursor: Cursor | None, *, live: bool) -> AsyncGenerator[PulledPage, None]:
        self._require_open()
        refuse_inside_atomic(_ALIAS)
        pages = self._pull_live(cursor) if live else self._pull_stored(cursor)
        try:
            async with aclosing(pages):
                async for page in pages:
                    yield page
        except (StorageUnavailableError, CommitUnknownError) as error:
            raise LostError(str(error)) from error

    async def close(self) -> None:
        self._is_closed = True
        for outlet in tuple(self._open):
            outlet.call.end(ClosedError())

    def check_caller(self) -> None:
        """Refuse a thread that holds a transaction on livesync's database.

        Raises:
            InsideTransactionError: it does.
        """
        refuse_inside_atomic(_ALIAS)

    def _require_open(self) -> None:
        if self._is_closed:
            raise ClosedError

    def _checked(self, batch: Sequence[Event], backend_id: str) -> list[Event]:
        payload = requests.push_payload(self._store_id, batch, backend_id, payload=None)
        return messages.read_push(requests.encode(payload), limits=get_limits()).batch

    async def _pull_stored(self, cursor: Cursor | None) -> AsyncGenerator[PulledPage, None]:
        backend_id, after = (cursor.backend_id, cursor.seq_num) if cursor else (None, 0)
        async with aclosing(read_pages(self._store_id, backend_id, after)) as pages:
            async for page in pages:
                for pulled in open_chunk(_as_values(page.text)):
                    yield pulled

    async def _pull_live(self, cursor: Cursor | None) -> AsyncGenerator[PulledPage, None]:
        outlet = _Outlet(self._store_id, cursor)
        self._open.add(outlet)
        try:
            outlet.start()
            while (values := await outlet.call.next_chunk()) is not None:
                outlet.pull.ack()
                for page in open_chunk(values):
                    yield page
        finally:
            self._open.discard(outlet)
            outlet.stop()


class _Outlet(ReadingOutlet):
    """Where a live pull of this process's hub puts its chunks."""

    def __init__(self, store_id: str, cursor: Cursor | None) -> None:
        super().__init__()
        self.call = Call("")
        self.pull = LivePull(store_id, cursor, self)

    def send_chunk(self, values: str) -> None:
        if not self.call.put(_as_values(values)):
            self.call.end(overfull())

    async def read(self) -> None:
        try:
            await self.pull.read()
        except Exception as error:
            self.call.end(error)


def _as_values(page: str) -> Raw:
    return Raw(f"[{page}]".encode())


async def stop_hub() -> None:
    """Stop the hub of this loop, which is about to end, when others have heard of its pushes."""
    hub = get_hub()
    await hub.flush()
    await hub.stop()
