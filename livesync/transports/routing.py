"""The WebSocket side as one ASGI application, to be mounted wherever a site likes."""

from livesync.transports.consumers import SyncConsumer

websocket_application = SyncConsumer.as_asgi()
"""Serves any path: the query of the URL says whether and for which store it is a sync request."""
