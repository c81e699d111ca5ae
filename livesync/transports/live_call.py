"""A live pull by RPC: what is stored goes into a stream, what comes then to its taker."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from livesync.protocol import rpc
from livesync.protocol.calls import Pull
from livesync.protocol.errors import CommitUnknownError, LivesyncError, StorageUnavailableError
from livesync.services.connection import Connection
from livesync.services.outlet import ReadingOutlet

logger = logging.getLogger(__name__)

_AGAIN_EVERY_S = 0.25


class LiveCall(ReadingOutlet):
    """One live pull by RPC, until it is closed.

    Args:
        connection: asked for it.
        request: what was asked for.
        hand_over: awaited with each update, as JSON: a chunk, or the Exit that ends the live pull.
    """

    def __init__(
        self, connection: Connection, request: Pull, hand_over: Callable[[str], Awaitable[None]]
    ) -> None:
        super().__init__()
        self.has_failed = False
        self._connection = connection
        self._request = request
        self._hand_over = hand_over
        self.pull = connection.live_pull(request, self)
        # pages; None where nothing is left to be read; an error that ends it
        self._found: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self._delivering: asyncio.Task[None] | None = None

    async def stored(self) -> AsyncIterator[str]:
        """The stored pages, then the request's Exit, as JSON."""
        request_id = self._request.request_id
        try:
            await self._connection.before_pull(self._request)
        except LivesyncError as error:
            self._found.put_nowait(error)
        else:
            self.start()
        while isinstance(found := await self._found.get(), str):
            yield rpc.rpc_chunk(request_id, found)
            self.pull.ack()
        self.has_failed = found is not None
        yield rpc.exit_success(request_id) if found is None else rpc.exit_fail(request_id, found)

    def go_on(self) -> "asyncio.Task[None]":
        """Hand over what comes from now on, in a task that ends with the live pull."""
        self._delivering = asyncio.create_task(self._deliver())
        return self._delivering

    def close(self) -> None:
        """Read and hand over nothing more."""
        self.stop()
        if self._delivering is not None and self._delivering is not asyncio.current_task():
            self._delivering.cancel()

    def send_chunk(self, values: str) -> None:
        self._found.put_nowait(values)

    async def read(self) -> None:
        try:
            await self._read_until_live()
        except LivesyncError as error:
            self._found.put_nowait(error)
        except Exception as error:
            logger.exception("a pull of store %r failed", self.pull.store_id)
            self._found.put_nowait(error)
        else:
            self._found.put_nowait(None)

    async def _read_until_live(self) -> None:
        while True:
            try:
                await self.pull.read()
                return
            except (StorageUnavailableError, CommitUnknownError):
                # told, it would end the client's syncing for good; and it passes. The storage has
                # logged it, not once for each try of each pull
                self.pull.mark_dirty()
            await asyncio.sleep(_AGAIN_EVERY_S)

    async def _deliver(self) -> None:
        request_id = self._request.request_id
        try:
            while not isinstance(found := await self._found.get(), Exception):
                if found is not None:
                    await self._hand_over(rpc.chunk(request_id, found))
                    self.pull.ack()
            await self._hand_over(rpc.exit_fail(request_id, found))
        except Exception:
            # to go on would leave a gap, to repeat could double what was taken
            logger.exception("an update of store %r could not be handed over", self.pull.store_id)
        finally:
            self.close()
