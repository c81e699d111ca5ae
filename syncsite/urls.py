"""The site's own paths; sync requests and ``/healthz`` never come here (``syncsite.entrance``)."""

from django.contrib import admin
from django.urls import path

from syncsite import health, metrics

urlpatterns = [
    path("admin/", admin.site.urls),
    path("readyz", health.readyz),
    path("metrics", metrics.expose),
    path("favicon.ico", health.no_icon),
]
