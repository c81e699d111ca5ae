"""One pull request of a socket: frames its chunks, ends it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from groundwork.frames import INTERNAL, TRY_LATER
from livesync.protocol import rpc
from livesync.protocol.calls import Pull
from livesync.protocol.errors import CommitUnknownError, LivesyncError, StorageUnavailableError
from livesync.services.outlet import ReadingOutlet

if TYPE_CHECKING:  # the consumer makes these
    from livesync.transports.consumers import SyncConsumer

logger = logging.getLogger(__name__)


class OpenPull(ReadingOutlet):
    """A pull from its request to its Exit; a live one has none while all is well."""

    __slots__ = ("_consumer", "_head", "_request")

    def __init__(self, consumer: "SyncConsumer", request: Pull) -> None:
        super().__init__(turn=consumer.turn)
        self.pull = consumer.connection.live_pull(request, self)
        self._consumer = consumer
        self._request = request
        self._head = rpc.chunk_head(request.request_id)

    def start(self) -> None:
        if self._consumer.connection.asks_before_pull:
            self._task = self.spawn(self._answer(self._ask_and_read))
        else:
            super().start()

    def join(self) -> None:
        if self._request.live:
            super().join()

    async def read(self) -> None:
        await self._answer(self._read)

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return self._consumer.spawn(work)

    def send_chunk(self, values: str) -> None:
        self._consumer.send_now(self._head + values + rpc.CHUNK_TAIL)

    def is_writable(self) -> bool:
        return self._consumer.is_writable

    async def wait_until_writable(self) -> None:
        await self._consumer.wait_until_writable()

    def finish(self, last_frame: str) -> None:
        """Send the last frame of this request and forget it."""
        self._consumer.send_now(last_frame)
        self.stop()

    def stop(self) -> None:
        self._consumer.forget(self._request.request_id)
        super().stop()

    async def _ask_and_read(self) -> None:
        await self._consumer.connection.before_pull(self._request)
        self.join()
        await self._read()

    async def _read(self) -> None:
        if self._request.live:
            await self.pull.read()
            self._task = None  # an idle socket keeps nothing it does not need
        else:
            await self.pull.read_once()
            self.finish(rpc.exit_success(self._request.request_id))

    async def _answer(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except (StorageUnavailableError, CommitUnknownError) as error:
            # UnknownError would end the client's syncing for good; a closed socket is tried again
            logger.warning("a pull of store %r failed: %s", self.pull.store_id, error)
            self._consumer.close(TRY_LATER)
        except LivesyncError as error:
            self.finish(rpc.exit_fail(self._request.request_id, error))
        except Exception:
            logger.exception("a pull of store %r failed", self.pull.store_id)
            self._consumer.close(INTERNAL)
