"""Where sync over HTTP is on this site: RPC at its path, the HTTP transport on every other."""

from django.urls import include, path

from livesync.transports.routing import RPC_PATH
from livesync.transports.rpc_views import RpcView

urlpatterns = [
    path(RPC_PATH.removeprefix("/"), RpcView.as_view(), name="livesync-rpc"),
    path("", include("livesync.transports.urls")),
]
