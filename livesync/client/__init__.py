"""A LiveStore client for Python: push, pull and live pull, see ``docs/python-client.md``.

``AsyncClient`` is for event loops, ``Client`` for all other code. Both reach a store over a
WebSocket, over HTTP, or, inside a Django process that has the database, without either. Django and
its settings are needed for the last way only.
"""

from livesync.client.async_client import AsyncClient
from livesync.client.errors import (
    AccessRefusedError,
    ClientError,
    ClosedError,
    InDoubtError,
    UnreachableError,
    WrongAnswerError,
)
from livesync.client.events import ABSENT, Draft, Page
from livesync.client.sync_client import Client
from livesync.protocol.answers import PulledEvent
from livesync.protocol.errors import (
    BackendIdMismatchError,
    InvalidBatchError,
    LivesyncError,
    RemoteError,
    ServerAheadError,
)
from livesync.protocol.events import Cursor

__all__ = [
    "ABSENT",
    "AccessRefusedError",
    "AsyncClient",
    "BackendIdMismatchError",
    "Client",
    "ClientError",
    "ClosedError",
    "Cursor",
    "Draft",
    "InDoubtError",
    "InvalidBatchError",
    "LivesyncError",
    "Page",
    "PulledEvent",
    "RemoteError",
    "ServerAheadError",
    "UnreachableError",
    "WrongAnswerError",
]
