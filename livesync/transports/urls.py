"""The HTTP side as one URLconf: it answers every path, the query names the store."""

from django.urls import re_path

from livesync.transports.views import SyncView

urlpatterns = [re_path(r"", SyncView.as_view(), name="livesync-http")]
