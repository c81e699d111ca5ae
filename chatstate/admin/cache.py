"""Cache entries: how large they are and how long they live; their values only when asked for."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chatstate.admin.base import KeyedAdmin, key_text, show_key, shown_ms_instant, with_rest
from chatstate.admin.deeds import Deed, DeedPage, do
from chatstate.admin.values import Value, values_page
from chatstate.models import CacheEntry
from chatstate.protocol.operations import Delete
from chatstate.storage.expiry import now_ms
from groundwork.row_admin import asks_and_does

DELETE = Deed(
    name="delete",
    permission="chatstate.delete_cacheentry",
    verb="Delete this entry",
    warning="The bot finds nothing under this key, until it writes it again.",
    state=lambda entry: str(entry.written_at_ms),
    shown=lambda entry: show_key(entry.key),
    do=lambda entry: do(entry, Delete(key=key_text(entry.key))),
    note=lambda entry: f"Deleted {entry} of {entry.namespace}.",
)


class CacheEntryAdmin(KeyedAdmin):
    """Found by a whole key."""

    key_field = "key"
    list_display = ("shown_key", "namespace", "size", "written", "expires_in", "ways")
    fields = list_display
    search_help_text = "A whole key."

    def get_urls(self) -> list[URLPattern]:
        show = asks_and_does(self.show_value)
        return [
            DeedPage(self, DELETE).url(),
            self.page("value/", show, "value"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows = super().get_queryset(request).defer("value").annotate(chars=Length("value"))
        return with_rest(rows, now_ms(self.alias(request)))

    def show_value(self, request: HttpRequest, entry: CacheEntry) -> HttpResponse:
        message = f"Looked at the value of {entry} of {entry.namespace}."
        return values_page(
            self,
            request,
            "Value",
            [Value(entry.value)],
            shown=show_key(entry.key),
            note=partial(self.log_change, request, entry, message),
        )

    @admin.display(description="size")
    def size(self, entry: Any) -> str:
        return f"{entry.chars:,} characters"

    @admin.display(description="written")
    def written(self, entry: CacheEntry) -> str:
        return shown_ms_instant(entry.written_at_ms)

    @admin.display(description="")
    def ways(self, entry: CacheEntry) -> SafeString:
        value = reverse("admin:chatstate_cacheentry_value", args=(entry.pk,))
        gone = reverse("admin:chatstate_cacheentry_delete", args=(entry.pk,))
        return format_html('<a href="{}">Value</a> <a href="{}">Delete…</a>', value, gone)
