"""The site's own paths; sync requests and ``/healthz`` never come here (``syncsite.entrance``)."""

from django.contrib import admin
from django.urls import path

from syncsite import health

urlpatterns = [
    path("admin/", admin.site.urls),
    path("readyz", health.readyz),
    path("favicon.ico", health.no_icon),
]
