"""The sync backend client of ``@livestore/sync-cf``; the other side is ``sync_client.mjs``."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from tests.e2e.node_clients.process import Command, NodeProcess

Transport = Literal["ws", "http", "rpc"]
Event = Mapping[str, Any]
"""As on the wire: name, args, seqNum, parentSeqNum, clientId, sessionId."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One element of a pull.

    Attributes:
        events: as on the wire, oldest first; an event without args has no such key.
        created_at: for each event when the server stored it (ISO 8601), or None.
        page_info: ``{"_tag": "NoMore"}`` or ``{"_tag": "MoreKnown", "remaining": n}``.
    """

    events: list[dict[str, Any]]
    created_at: list[str | None]
    page_info: dict[str, Any]

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read an item of the driver."""
        return cls(
            events=[entry["event"] for entry in item["batch"]],
            created_at=[entry["createdAt"] for entry in item["batch"]],
            page_info=item["pageInfo"],
        )


class LivePull:
    """A pull that stays open.

    Attributes:
        seen: every event taken so far, in order of arrival.
    """

    def __init__(self, command: Command) -> None:
        self.seen: list[dict[str, Any]] = []
        self._command = command

    async def page(self) -> Page:
        """The next page; raises as ``Command.next`` does."""
        return self._take(await self._command.next())

    async def until(self, seq_num: int) -> list[dict[str, Any]]:
        """Every event seen, as soon as one with this number or a later one is among them."""
        while not any(event["seqNum"] >= seq_num for event in self.seen):
            await self.page()
        return self.seen

    async def ended(self) -> None:
        """Wait until the pull ends by itself; raises the client's error."""
        await self._command.value()

    async def stop(self) -> list[dict[str, Any]]:
        """Interrupt the pull; returns every event seen, also those that nobody had taken."""
        await self._command.stop()
        for item in self._command.drain():
            self._take(item)
        return self.seen

    def _take(self, item: Mapping[str, Any]) -> Page:
        page = Page.from_item(item)
        self.seen += page.events
        return page


class NodeSyncClient:
    """One ``makeWsSync``, ``makeHttpSync`` or ``makeDoRpcSync`` client, in a process of several.

    Every method raises ``NodeClientError`` with the client's typed error, and
    ``NodeProcessError`` if no answer comes.
    """

    def __init__(self, process: NodeProcess, name: str) -> None:
        self._process = process
        self._name = name

    async def push(self, *batch: Event) -> None:
        """Push the events; the client splits what is over 100 events or 900,000 bytes."""
        await self._call("push", events=batch)

    async def pull(self, *, cursor: int | None = None) -> list[Page]:
        """Every page after the cursor.

        Args:
            cursor: number of the last event seen; None from the beginning. The client adds the
                backend id it knows, and dies of a Defect when it knows none.
        """
        command = self._begin("pull", cursor=cursor, live=False)
        await command.value()
        return [Page.from_item(item) for item in command.drain()]

    def pull_live(self, *, cursor: int | None = None, resume: bool = False) -> LivePull:
        """Pull and stay; over HTTP the client polls.

        Args:
            cursor: as in ``pull``.
            resume: after an ``IsOfflineError`` (a lost socket) go on behind the last event seen,
                as LiveStore's leader does; otherwise it ends the pull.
        """
        return LivePull(self._begin("pull", cursor=cursor, live=True, resume=resume))

    async def ping(self) -> bool:
        """Ping; whether the client then counts itself as connected.

        Over WebSocket this sends nothing: it waits for the Pong to the client's next own ping.
        """
        return bool(await self._call("ping"))

    async def wait_connected(self, *, connected: bool = True) -> None:
        """Return as soon as the client's ``isConnected`` is ``connected``."""
        await self._call("waitConnected", connected=connected)

    def watch_connected(self) -> Command:
        """``isConnected`` now and at each change: the command's items, true or false."""
        return self._begin("watchConnected")

    async def backend_id(self) -> str | None:
        """The backend id in the client's key-value store; None before its first pull."""
        backend_id: str | None = await self._call("backendId")
        return backend_id

    async def disconnect(self) -> None:
        """Close the client: it interrupts its live pulls and closes its socket."""
        await self._call("disconnect")

    def _begin(self, op: str, **args: Any) -> Command:
        return self._process.begin(op, client=self._name, **args)

    async def _call(self, op: str, **args: Any) -> Any:
        return await self._begin(op, **args).value()


class NodeSyncProcess(NodeProcess):
    """A process that holds any number of sync backend clients. A context manager."""

    def __init__(self) -> None:
        super().__init__("sync_client.mjs")
        self._client_numbers = itertools.count(1)

    async def connect(
        self,
        *,
        url: str,
        store_id: str,
        transport: Transport,
        payload: Any = None,
        client_id: str | None = None,
        backend_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        poll_interval_ms: int = 100,
        ping_interval_ms: int = 10_000,
        ping_timeout_ms: int = 10_000,
        callback: bool | None = None,
    ) -> NodeSyncClient:
        """Make a client. It connects in the background, and again whenever it is cut.

        Args:
            url: of the server, without a query: ``ws:`` or ``http:`` for WebSocket, else ``http:``.
            store_id: the store.
            transport: which client.
            payload: what the server validates, any JSON but null.
            client_id: given to the client, which sends it nowhere.
            backend_id: in the client's key-value store from the start, as after a restart.
            headers: sent with each request over HTTP, and with each handshake of a WebSocket as a
                browser would; one set for each URL and store.
            poll_interval_ms: between the polls of a live pull, HTTP only; LiveStore's is 5,000.
            ping_interval_ms: between pings; a WebSocket silent for so long is dropped.
            ping_timeout_ms: how long ``ping`` waits before ``isConnected`` becomes false.
            callback: let updates come to the client's own ``handleSyncUpdateRpc``, RPC only.
        """
        name = f"client-{next(self._client_numbers)}"
        await self.call(
            "connect",
            client=name,
            url=url,
            storeId=store_id,
            transport=transport,
            payload=payload,
            clientId=client_id,
            backendId=backend_id,
            headers=headers,
            pollIntervalMs=poll_interval_ms,
            pingIntervalMs=ping_interval_ms,
            pingTimeoutMs=ping_timeout_ms,
            callback=callback,
        )
        return NodeSyncClient(self, name)

    @contextlib.asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[NodeSyncClient]:
        """A client that is gone at the end; options as in ``connect``."""
        client = await self.connect(**options)
        try:
            yield client
        finally:
            await client.disconnect()
