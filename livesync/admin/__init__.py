"""Stores in Django's admin: to look at, and to reset. Rows are written by syncing clients only."""

from django.contrib import admin

from livesync.admin.stores import StoreAdmin
from livesync.models import Store

admin.site.register(Store, StoreAdmin)
