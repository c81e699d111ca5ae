"""The list of stores and the page of one: read-only, with ways to its events and to a reset."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from groundwork.row_admin import ReadOnlyAdmin, shown_instant
from groundwork.visible_text import distinct_html
from livesync.admin.events import EventPages
from livesync.admin.reset import ResetPage
from livesync.admin.rows import as_it_stands
from livesync.models import Store
from livesync.services.stores import count_live_pulls


class StoreAdmin(ReadOnlyAdmin):
    """Lists, finds and shows stores; nothing can be added, changed or deleted by form."""

    list_display = (
        "listed_id",
        "events",
        "size",
        "head",
        "last_push",
        "live_pulls",
        "backend",
    )
    search_fields = ("store_id",)
    search_help_text = "Any part of a store id."
    fieldsets = (
        (None, {"fields": ("listed_id", "created", "place")}),
        ("History", {"fields": ("events", "size", "head", "last_push")}),
        ("Identity", {"fields": ("backend", "resets", "clean_up")}),
        ("Clients", {"fields": ("live_pulls",)}),
    )
    readonly_fields = (
        "listed_id",
        "created",
        "events",
        "size",
        "last_push",
        "backend",
        "resets",
        "clean_up",
        "live_pulls",
    )

    class Media:
        css: ClassVar = {"all": ("livesync/admin.css",)}

    def has_reset_permission(self, request: HttpRequest) -> bool:
        """Whether this user may reset stores."""
        return request.user.has_perm("livesync.reset_store")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Store | None:
        row = super().get_object(request, object_id, from_field)
        return None if row is None else as_it_stands(row)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list; of stores in files it is ordered by what their rows say, which is not much."""
        changelist = super().get_changelist_instance(request)
        changelist.result_list = [as_it_stands(row) for row in changelist.result_list]
        return changelist

    def get_urls(self) -> list[URLPattern]:
        return [*EventPages(self).urls(), *ResetPage(self).urls(), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {"has_reset_permission": self.has_reset_permission(request)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    @admin.display(description="store", ordering="store_id")
    def listed_id(self, store: Store) -> SafeString:
        """The id, and once more in ASCII where another one might look the same."""
        return distinct_html(store.store_id)

    @admin.display(description="events", ordering="event_count")
    def events(self, store: Store) -> SafeString:
        url = reverse("admin:livesync_store_events", args=(store.pk,))
        return format_html('<a href="{}">{}</a>', url, f"{store.event_count:,}")

    @admin.display(description="size", ordering="byte_count")
    def size(self, store: Store) -> str:
        return filesizeformat(store.byte_count)

    @admin.display(description="backend id", ordering="backend_id")
    def backend(self, store: Store) -> SafeString:
        return format_html('<span class="exact">{}</span>', store.backend_id)

    @admin.display(description="last push", ordering="last_push_at")
    def last_push(self, store: Store) -> str:
        return "never" if store.last_push_at is None else shown_instant(store.last_push_at)

    @admin.display(description="created at", ordering="created_at")
    def created(self, store: Store) -> str:
        return shown_instant(store.created_at)

    @admin.display(description="live pulls here")
    def live_pulls(self, store: Store) -> int:
        """In the process that answers; other workers have their own."""
        return count_live_pulls(store.store_id)

    @admin.display(description="resets")
    def resets(self, store: Store) -> int:
        return store.generation - 1

    @admin.display(description="old events")
    def clean_up(self, store: Store) -> str:
        is_done = store.oldest_generation == store.generation
        return "none" if is_done else "being deleted in the background"
