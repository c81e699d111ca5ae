"""livesync in Django's admin: stores, to look at and to reset; who may sync them."""

from django.contrib import admin

from livesync.admin.permissions import StorePermissionAdmin
from livesync.admin.stores import StoreAdmin
from livesync.admin.tokens import StoreTokenAdmin
from livesync.models import Store, StorePermission, StoreToken

admin.site.register(Store, StoreAdmin)
admin.site.register(StoreToken, StoreTokenAdmin)
admin.site.register(StorePermission, StorePermissionAdmin)
