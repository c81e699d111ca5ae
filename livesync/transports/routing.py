"""The WebSocket side as one ASGI application, to be mounted wherever a site likes."""

from livesync.transports.consumers import SyncConsumer, UpdatesConsumer

RPC_PATH = "/api/sync/v1/rpc"
"""Where this project has RPC: requests over HTTP, and updates over WebSocket."""

websocket_application = SyncConsumer.as_asgi()
"""Serves any path: the query of the URL says whether and for which store it is a sync request."""

updates_application = UpdatesConsumer.as_asgi()
"""The same for the path of RPC, where those who call by RPC hear of updates."""
