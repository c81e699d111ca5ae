"""Lists: how long they are; their items only when asked for."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chatstate.admin.base import KeyedAdmin, show_key, with_rest
from chatstate.admin.values import PAGE_VALUES, Value, after_of, values_page
from chatstate.models import ListHead
from chatstate.services.browse import list_items
from chatstate.storage.expiry import now_ms
from groundwork.row_admin import asks_and_does


class ListHeadAdmin(KeyedAdmin):
    """Found by a whole key; read only."""

    key_field = "key"
    list_display = ("shown_key", "namespace", "depth", "oldest", "expires_in", "ways")
    fields = list_display
    search_help_text = "A whole key."

    def get_urls(self) -> list[URLPattern]:
        show = asks_and_does(self.show_items)
        return [self.page("items/", show, "items"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        return with_rest(super().get_queryset(request), now_ms(self.alias(request)))

    def show_items(self, request: HttpRequest, head: ListHead) -> HttpResponse:
        alias, after = self.alias(request), after_of(request)
        items = list_items(alias, head, after=after, max_items=PAGE_VALUES + 1)
        message = f"Looked at items of {head} of {head.namespace}."
        return values_page(
            self,
            request,
            "Items",
            [Value(item.value, item.number) for item in items],
            shown=show_key(head.key),
            note=partial(self.log_change, request, head, message),
        )

    @admin.display(description="items")
    def depth(self, head: Any) -> str:
        is_live = head.rest_ms is None or head.rest_ms > 0
        return f"{head.last_number - head.first_number + 1 if is_live else 0:,}"

    @admin.display(description="oldest")
    def oldest(self, head: ListHead) -> str:
        return f"number {head.first_number}"

    @admin.display(description="")
    def ways(self, head: ListHead) -> SafeString:
        url = reverse("admin:chatstate_listhead_items", args=(head.pk,))
        return format_html('<a href="{}">Items</a>', url)
