"""What the pages of chatstate have in common: they read only, and never through all rows."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import BigIntegerField, F, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from chatstate.admin.databases import choices, shown_alias
from chatstate.services.browse import known_namespaces
from chatstate.sharding import default_alias
from chatstate.storage.context import digest
from groundwork.row_admin import ReadOnlyAdmin, shown_instant
from groundwork.visible_text import distinct_html


class NamespaceFilter(admin.SimpleListFilter):
    """One namespace's rows; which there are is told by the index."""

    title = "namespace"
    parameter_name = "namespace"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        alias = model_admin.alias(request)
        return [(name, name) for name in known_namespaces(alias, model_admin.model)]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        namespace = self.value()
        if namespace is None:
            return queryset
        # PostgreSQL refuses a NUL in a text
        return queryset.none() if "\x00" in namespace else queryset.filter(namespace=namespace)


class RowsAdmin(ReadOnlyAdmin):
    """Lists and shows rows of one database; no form adds, changes or deletes."""

    list_filter: ClassVar[Any] = (NamespaceFilter,)
    change_list_template = "admin/chatstate/change_list.html"

    class Media:
        css: ClassVar = {"all": ("chatstate/admin.css",)}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # any other would let a URL ask for a part of a value, and read through all rows
        return lookup == NamespaceFilter.parameter_name

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows: QuerySet[Any] = self.model._default_manager.using(self.alias(request))
        return rows.order_by(*self.get_ordering(request))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # each along an index
        return ("namespace", "pk") if NamespaceFilter.parameter_name in request.GET else ("-pk",)

    def alias(self, request: HttpRequest) -> str:
        """The database that the rows are in."""
        return default_alias()

    def render(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        """A template of chatstate's, with what every page of the admin shows."""
        return self.render_page(request, f"chatstate/{template}", title, **context)


class KeyedAdmin(RowsAdmin):
    """Rows that a key or thread id leads to, in the column ``key_field``; each shard has some."""

    key_field: ClassVar[str]
    search_fields = ("key_digest",)  # for the field to be there; see get_search_results
    search_help_text = "Exact, from the first character to the last."

    def alias(self, request: HttpRequest) -> str:
        return shown_alias(request)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {"databases": choices(request), **(extra_context or {})}
        answer: HttpResponse = super().changelist_view(request, context)
        return answer

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        is_filtered = NamespaceFilter.parameter_name in request.GET
        return ("namespace", "key_digest") if is_filtered else ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        if not search_term:
            return queryset, False
        # the index begins with the namespace
        namespaces = known_namespaces(self.alias(request), self.model)
        return queryset.filter(namespace__in=namespaces, key_digest=digest(search_term)), False

    @admin.display(description="expires in")
    def expires_in(self, row: Any) -> str:
        return shown_ms(row.rest_ms)

    @admin.display(description="key")
    def shown_key(self, row: Any) -> SafeString:
        """The key, and once more in ASCII where another one might look the same."""
        return show_key(getattr(row, self.key_field))


def with_rest(rows: "QuerySet[Any]", now: int) -> "QuerySet[Any]":
    """Rows that know how many milliseconds they still live, as ``rest_ms``; None is for ever."""
    annotated: QuerySet[Any] = rows.annotate(
        rest_ms=F("expires_at_ms") - Value(now, BigIntegerField())
    )
    return annotated


def key_text(key: "bytes | memoryview[int]") -> str:
    """A stored key as its bot wrote it."""
    return bytes(key).decode("utf-8", "surrogatepass")


def show_key(key: "bytes | memoryview[int]") -> SafeString:
    """A key for a page."""
    return distinct_html(key_text(key))


def shown_ms_instant(instant_ms: int) -> str:
    """Milliseconds since 1970 for people."""
    return shown_instant(datetime.fromtimestamp(instant_ms / 1000, UTC))


def shown_ms(ms: int | None) -> str:
    """How long something still lives; None: for ever."""
    if ms is None:
        return "never"
    if ms <= 0:
        return "expired"
    days, seconds = divmod(ms / 1000, 86_400)
    return f"{days:.0f} d {seconds / 3600:.1f} h" if days else f"{seconds:,.1f} s"
