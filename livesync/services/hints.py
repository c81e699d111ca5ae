"""Hints between processes: "this store advanced to this head", through the channel layer.

A hint carries no event. It may be lost, doubled, late or forged: all it does is make live pulls
look at the database. Pushes never wait for a hint to be sent.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync
from channels.layers import BaseChannelLayer, InMemoryChannelLayer, get_channel_layer

from livesync import metrics

logger = logging.getLogger(__name__)

_TIMEOUT_S = 1.0
_PAUSE_AFTER_FAULT_S = 5.0
_WARN_EVERY_S = 60.0
_PROBE_AFTER_S = 5.0


class Hint(NamedTuple):
    """A store stands at ``head`` of the history ``backend_id``."""

    store_id: str
    backend_id: str
    head: int


_PROBE = Hint("", "", 0)  # no store has an empty name, so nobody hears it


class HintBus:
    """Sends and hears hints for one event loop.

    It joins a store's group once, however many pulls wait there, and sends the latest hint of a
    store only: while the layer is slow or away, hints wait merged, not queued. When it has had
    nothing to do for 5 s it sends a hint to nobody, to know whether it could.

    Args:
        layer: where the groups are.
        on_hint: called in the loop for each hint heard, this process's own included.
    """

    def __init__(self, layer: BaseChannelLayer, on_hint: Callable[[Hint], None]) -> None:
        self._layer = layer
        self._on_hint = on_hint
        self._wanted: set[str] = set()
        self._changed: set[str] = set()
        self._pending: dict[str, Hint] = {}
        self._wake = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._channel: str | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._warned_at = -_WARN_EVERY_S
        self._is_stopped = False
        self._must_probe = False
        self.on_join: Callable[[str], None] = lambda _: None
        """Called when a store's hints are heard from now on: what came before was not."""
        self.is_degraded = False
        """Whether the last call of the layer failed."""

    def join(self, store_id: str) -> None:
        """Hear the hints of a store from now on."""
        self._wanted.add(store_id)
        self._mark_changed(store_id)

    def leave(self, store_id: str) -> None:
        """Hear them no more."""
        self._wanted.discard(store_id)
        self._mark_changed(store_id)

    def publish(self, hint: Hint) -> None:
        """Send a hint soon; a newer one of the same store takes its place."""
        self._pending[hint.store_id] = hint
        self._all_sent.clear()
        self._start_and_wake()

    def watch(self) -> None:
        """Find out soon, and from now on, whether the layer is within reach."""
        if not self._tasks:
            self._must_probe = True
            self._start_and_wake()

    async def flush(self) -> None:
        """Wait until the hints that wait are out; if the layer is slow, a second at most."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._all_sent.wait()
        except TimeoutError:
            return  # the reconcile tick of the others will do

    async def stop(self) -> None:
        """Leave all groups by leaving the layer alone, for good; hints that wait are dropped."""
        self._is_stopped = True  # pulls that end later still leave their groups
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _mark_changed(self, store_id: str) -> None:
        self._changed.add(store_id)
        self._start_and_wake()

    def _start_and_wake(self) -> None:
        if self._is_stopped:
            return
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._hear())]
        self._wake.set()

    async def _send(self) -> None:
        while True:
            await self._wait_for_work()
            try:
                await self._change_groups()
                await self._send_pending()
                await self._probe_if_idle()
            except Exception as error:
                self._report(error)
                await asyncio.sleep(_PAUSE_AFTER_FAULT_S)
                self._wake.set()

    async def _wait_for_work(self) -> None:
        try:
            async with asyncio.timeout(_PROBE_AFTER_S):
                await self._wake.wait()
        except TimeoutError:
            self._must_probe = True
        self._wake.clear()

    async def _probe_if_idle(self) -> None:
        if self._must_probe:
            self._must_probe = False
            await self._tell(_PROBE)

    async def _change_groups(self) -> None:
        while self._changed and self._channel is not None:
            store_id = self._changed.pop()
            is_wanted = store_id in self._wanted
            change = self._layer.group_add if is_wanted else self._layer.group_discard
            try:
                await _bounded(change(group_name(store_id), self._channel))
            except BaseException:
                self._changed.add(store_id)
                raise
            self.is_degraded = False
            if is_wanted:
                self.on_join(store_id)

    async def _send_pending(self) -> None:
        while self._pending:
            store_id, hint = next(iter(self._pending.items()))
            del self._pending[store_id]
            await self._tell(hint)
        self._all_sent.set()

    async def _tell(self, hint: Hint) -> None:
        await _send_one(self._layer, hint)
        self.is_degraded = False

    async def _hear(self) -> None:
        while True:
            try:
                channel = await _bounded(self._layer.new_channel())
                self._rejoin(channel)
                while True:
                    self._take(await self._layer.receive(channel))
            except Exception as error:
                self._report(error)
                await asyncio.sleep(_TIMEOUT_S)

    def _rejoin(self, channel: str) -> None:
        self._channel = channel
        self._changed |= self._wanted
        self._wake.set()

    def _take(self, message: Any) -> None:
        hint = decode_hint(message)
        if hint is None:
            logger.warning("a message on the channel layer is no hint; ignored")
        else:
            self._on_hint(hint)

    def _report(self, error: Exception) -> None:
        self.is_degraded = True
        metrics.HINT_FAULTS.inc()
        now = time.monotonic()
        if now - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = now
            logger.warning(
                "the channel layer is out of reach (%s: %s); live pulls of other processes hear"
                " of pushes at their next reconcile tick",
                type(error).__name__,
                error,
            )


def make_bus(on_hint: Callable[[Hint], None]) -> HintBus | None:
    """The bus of a hub; None where the layer cannot reach another process anyway."""
    layer = get_channel_layer()
    if layer is None or isinstance(layer, InMemoryChannelLayer):
        return None
    return HintBus(layer, on_hint)


def send_hint(hint: Hint) -> None:
    """Send one hint from code without an event loop; a layer out of reach is only logged."""
    layer = get_channel_layer()
    if layer is None or isinstance(layer, InMemoryChannelLayer):
        return
    try:
        async_to_sync(_send_one)(layer, hint)
    except Exception:
        logger.warning("a hint could not be sent; the reconcile tick will do", exc_info=True)


def group_name(store_id: str) -> str:
    """The store's group: names must be short ASCII, store ids are neither."""
    return "livesync." + hashlib.sha256(store_id.encode()).hexdigest()


def encode_hint(hint: Hint) -> dict[str, Any]:
    """A hint as a message of the channel layer."""
    return {"type": "livesync.hint", **hint._asdict()}


def decode_hint(message: Any) -> Hint | None:
    """The hint in a message of the channel layer; None if it is something else."""
    match message:
        case {"store_id": str(store_id), "backend_id": str(backend_id), "head": int(head)}:
            return Hint(store_id, backend_id, head)
    return None


async def _send_one(layer: BaseChannelLayer, hint: Hint) -> None:
    await _bounded(layer.group_send(group_name(hint.store_id), encode_hint(hint)))


async def _bounded(call: Awaitable[Any]) -> Any:
    # not wait_for: on Python 3.11 it loses a cancellation that meets the end of the call
    async with asyncio.timeout(_TIMEOUT_S):
        return await call
