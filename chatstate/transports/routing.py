"""The WebSocket side as one ASGI application, to be mounted wherever a site likes."""

from chatstate.transports.consumers import StateConsumer

PATH = "/api/chat/v1/socket"
"""Where this project mounts it."""

websocket_application = StateConsumer.as_asgi()
