"""The ASGI application, for ``manage.py serve``, uvicorn and daphne."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncsite.settings")
django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402 (needs the set-up above)

from chatstate.transports.routing import websocket_application as chat_websocket  # noqa: E402
from livesync.transports.routing import updates_application, websocket_application  # noqa: E402
from syncsite.entrance import Entrance  # noqa: E402
from syncsite.login_queue import LoginQueue  # noqa: E402
from syncsite.logs import keep_queries_from_daphne  # noqa: E402
from syncsite.request_body import BoundedBody  # noqa: E402
from syncsite.sync_handler import SyncHandler  # noqa: E402

keep_queries_from_daphne()

application = Entrance(
    site=BoundedBody(LoginQueue(ASGIHandler())),
    sync_http=SyncHandler(),
    sync_websocket=websocket_application,
    rpc_websocket=updates_application,
    chat_websocket=chat_websocket,
)
