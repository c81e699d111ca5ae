"""What bots keep, in Django's admin: to look at, and to mend."""

from django.contrib import admin

from chatstate.admin.cache import CacheEntryAdmin
from chatstate.admin.lists import ListHeadAdmin
from chatstate.admin.locks import HeldLockAdmin
from chatstate.admin.runs import CleanUpAdmin
from chatstate.admin.subscriptions import SubscriptionAdmin
from chatstate.admin.tokens import TokenAdmin
from chatstate.models import CacheEntry, CleanUp, HeldLock, ListHead, Subscription, Token

admin.site.register(HeldLock, HeldLockAdmin)
admin.site.register(Subscription, SubscriptionAdmin)
admin.site.register(CacheEntry, CacheEntryAdmin)
admin.site.register(ListHead, ListHeadAdmin)
admin.site.register(Token, TokenAdmin)
admin.site.register(CleanUp, CleanUpAdmin)
