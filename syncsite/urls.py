"""The site's own paths; sync requests and ``/healthz`` never come here (``syncsite.entrance``)."""

from django.contrib import admin
from django.urls import include, path

from chatstate.transports.views import UnknownOperationView
from syncsite import health, metrics

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/chat/v1/", include("chatstate.transports.urls")),
    # or Django, which finds the path above, would ask for the slash, and fail at a POST
    path("api/chat/v1", UnknownOperationView.as_view()),
    path("readyz", health.readyz),
    path("metrics", metrics.expose),
    path("favicon.ico", health.no_icon),
]
