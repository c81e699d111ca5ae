"""The unmodified LiveStore clients, as processes that tests drive.

``NodeSyncClient`` is the sync backend client of ``@livestore/sync-cf``, ``NodeStoreApp`` an app
with a full LiveStore store. Both live in Node processes (``../js/``) that speak JSON lines.

``python -m tests.e2e.node_clients --install`` installs their npm packages unless that was done, our
own with them (``own_packages``).
"""

from tests.e2e.node_clients.cloudflare import (
    SyncWorker,
    SyncWorkerOnD1,
    ensure_cloudflare,
    run_command_line,
)
from tests.e2e.node_clients.install import ensure_installed
from tests.e2e.node_clients.own_packages import ensure_own_packages
from tests.e2e.node_clients.process import (
    Command,
    LinesProcess,
    NodeClientError,
    NodeProcess,
    NodeProcessError,
)
from tests.e2e.node_clients.store_app import (
    NodeStoreApp,
    NodeStoreProcess,
    StoreStatus,
    SyncState,
    note_created,
    note_deleted,
    note_edited,
)
from tests.e2e.node_clients.sync_client import (
    Event,
    LivePull,
    NodeSyncClient,
    NodeSyncProcess,
    Page,
    Transport,
)

__all__ = [
    "Command",
    "Event",
    "LinesProcess",
    "LivePull",
    "NodeClientError",
    "NodeProcess",
    "NodeProcessError",
    "NodeStoreApp",
    "NodeStoreProcess",
    "NodeSyncClient",
    "NodeSyncProcess",
    "Page",
    "StoreStatus",
    "SyncState",
    "SyncWorker",
    "SyncWorkerOnD1",
    "Transport",
    "ensure_cloudflare",
    "ensure_installed",
    "ensure_own_packages",
    "note_created",
    "note_deleted",
    "note_edited",
    "run_command_line",
]
