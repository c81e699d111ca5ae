"""Locks that are held, and how to take one away from its holder."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chatstate.admin.base import (
    KeyedAdmin,
    NamespaceFilter,
    key_text,
    show_key,
    shown_ms_instant,
    with_rest,
)
from chatstate.admin.databases import choice_url
from chatstate.admin.deeds import Deed, DeedPage, do
from chatstate.admin.queues import QueuePages
from chatstate.models import HeldLock
from chatstate.protocol.operations import EndHold
from chatstate.services.browse import count_stranded
from chatstate.storage.expiry import now_ms

FORCE_RELEASE = Deed(
    name="release",
    permission="chatstate.force_release",
    verb="Release this lock",
    warning="Another worker may take the thread at once, while the holder may still be at work on"
    " it; the holder is not told before it extends or releases the lock.",
    state=lambda lock: str(lock.fence),
    shown=lambda lock: show_key(lock.thread_id),
    do=lambda lock: do(lock, EndHold(thread_id=key_text(lock.thread_id), fence=lock.fence)),
    note=lambda lock: (
        f"Released the lock of {lock} in {lock.namespace}:"
        f" fence {lock.fence}, holder {bytes(lock.token_digest).hex()[:12]}."
    ),
)


class HeldLockAdmin(KeyedAdmin):
    """Who holds what, since when, and for how long; what has expired is free and not shown."""

    key_field = "thread_id"
    list_display = (
        "shown_key",
        "namespace",
        "holder",
        "acquired",
        "expires_in",
        "extended_count",
        "fence",
        "ways",
    )
    fields = list_display[:-1]
    search_help_text = "A whole thread id."

    def get_urls(self) -> list[URLPattern]:
        # before Django's own, the last of which takes anything
        pages = [*QueuePages(self).urls(), choice_url(self.admin_site)]
        return [*pages, DeedPage(self, FORCE_RELEASE).url(), *super().get_urls()]

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        is_filtered = NamespaceFilter.parameter_name in request.GET
        return super().get_ordering(request) if is_filtered else ("expires_at_ms", "pk")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        now = now_ms(self.alias(request))
        return with_rest(super().get_queryset(request).filter(expires_at_ms__gt=now), now)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        stranded = count_stranded(self.alias(request))
        answer: HttpResponse = super().changelist_view(
            request, {"stranded": stranded, **(extra_context or {})}
        )
        return answer

    @admin.display(description="holder's token digest")
    def holder(self, lock: HeldLock) -> SafeString:
        return format_html('<span class="exact">{}</span>', bytes(lock.token_digest).hex()[:12])

    @admin.display(description="acquired")
    def acquired(self, lock: HeldLock) -> str:
        return shown_ms_instant(lock.acquired_at_ms)

    @admin.display(description="")
    def ways(self, lock: HeldLock) -> SafeString:
        url = reverse("admin:chatstate_heldlock_release", args=(lock.pk,))
        return format_html('<a href="{}">Release…</a>', url)
