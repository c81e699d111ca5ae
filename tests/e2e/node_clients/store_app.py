"""An app with a full LiveStore store of notes; the other side is ``store_app.mjs``."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from tests.e2e.node_clients.process import NodeProcess
from tests.e2e.node_clients.sync_client import Transport

NoteEvent = Mapping[str, Any]
Note = dict[str, str]
"""A row: id and text."""


def note_created(note_id: str, text: str) -> NoteEvent:
    """A new note; where one of that id is there already, nothing."""
    return {"name": "noteCreated", "args": {"id": note_id, "text": text}}


def note_edited(note_id: str, text: str) -> NoteEvent:
    """Another text for a note; for one that is not there, nothing."""
    return {"name": "noteEdited", "args": {"id": note_id, "text": text}}


def note_deleted(note_id: str) -> NoteEvent:
    """A note goes."""
    return {"name": "noteDeleted", "args": {"id": note_id}}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """What one side of a store knows of the side above it.

    Attributes:
        local_head: number of its last event.
        upstream_head: number of the last event that the side above has confirmed.
        pending: how many of its events are not confirmed.
    """

    local_head: int
    upstream_head: int
    pending: int

    @classmethod
    def from_item(cls, item: Mapping[str, int]) -> Self:
        """Read what the driver answers."""
        return cls(
            local_head=item["localHead"],
            upstream_head=item["upstreamHead"],
            pending=item["pending"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """A store's session syncs with its leader, its leader with the server."""

    session: SyncState
    leader: SyncState
    is_connected: bool

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read what the driver answers."""
        return cls(
            session=SyncState.from_item(item["session"]),
            leader=SyncState.from_item(item["leader"]),
            is_connected=item["isConnected"],
        )


class NodeStoreProcess(NodeProcess):
    """A process with one LiveStore store at a time. A context manager."""

    def __init__(self) -> None:
        super().__init__("store_app.mjs")

    @contextlib.asynccontextmanager
    async def app(
        self,
        *,
        url: str,
        store_id: str,
        transport: Transport,
        client_id: str,
        payload: Any = None,
        directory: Path | None = None,
        on_sync_error: Literal["ignore", "shutdown"] | None = None,
        on_backend_id_mismatch: Literal["reset", "shutdown", "ignore"] | None = None,
        live_pull: bool = True,
        poll_interval_ms: int = 100,
        ping_interval_ms: int = 10_000,
    ) -> AsyncIterator["NodeStoreApp"]:
        """A store, open inside of the block.

        Args:
            url: of the server, without a query.
            store_id: letters, digits, ``_`` and ``-`` only; LiveStore refuses others.
            transport: which sync backend client the leader uses.
            client_id: a different one for each app of a store.
            payload: what the server validates, any JSON but null.
            directory: where the store keeps its databases; None keeps them in memory.
            on_sync_error: None is LiveStore's default, ``ignore``: sync ends silently.
            on_backend_id_mismatch: None is LiveStore's default, ``reset``: the store drops its
                data and ends; ``open`` then begins anew.
            live_pull: whether the leader pulls what others push later.
            poll_interval_ms: between polls, HTTP only; LiveStore's is 5,000.
            ping_interval_ms: between pings.
        """
        options = {
            "url": url,
            "storeId": store_id,
            "transport": transport,
            "clientId": client_id,
            "payload": payload,
            "directory": None if directory is None else str(directory),
            "onSyncError": on_sync_error,
            "onBackendIdMismatch": on_backend_id_mismatch,
            "livePull": live_pull,
            "pollIntervalMs": poll_interval_ms,
            "pingIntervalMs": ping_interval_ms,
        }
        app = NodeStoreApp(self, options)
        await app.open()
        try:
            yield app
        finally:
            await app.shutdown()


class NodeStoreApp:
    """One LiveStore store of a process.

    Every method raises ``NodeClientError`` when the store failed, and ``NodeProcessError`` if no
    answer comes.
    """

    def __init__(self, process: NodeProcess, options: Mapping[str, Any]) -> None:
        self._process = process
        self._options = options

    async def open(self) -> None:
        """Make the store; for one that ended, make it again with the same options."""
        await self._process.call("open", **self._options)

    async def commit(self, *events: NoteEvent) -> None:
        """Commit the events together; returns when the store shows them, not when they synced."""
        await self._process.call("commit", events=events)

    async def query(self) -> list[Note]:
        """Every note, by id."""
        notes: list[Note] = await self._process.call("query")
        return notes

    async def wait_rows(self, count: int) -> list[Note]:
        """Every note by id, as soon as a live query shows ``count`` of them or more."""
        notes: list[Note] = await self._process.call("waitRows", count=count)
        return notes

    async def wait_kept(self) -> None:
        """Return as soon as every event committed so far is in the app's own eventlog."""
        await self._process.call("waitKept")

    async def wait_synced(self) -> StoreStatus:
        """Return as soon as the server has confirmed every event committed so far."""
        return StoreStatus.from_item(await self._process.call("waitSynced"))

    async def status(self) -> StoreStatus:
        """How far the store has synced."""
        return StoreStatus.from_item(await self._process.call("status"))

    async def wait_shutdown(self) -> dict[str, Any]:
        """Why the store ended, once it has.

        ``{"_tag": "IntentionalShutdownCause", "reason": "backend-id-mismatch"}`` after a reset,
        with reason ``manual`` after ``shutdown``; else the error that ended it.
        """
        cause: dict[str, Any] = await self._process.call("waitShutdown")
        return cause

    async def shutdown(self) -> None:
        """End the store in good order; ``open`` may make the next."""
        await self._process.call("shutdown")
