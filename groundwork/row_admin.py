"""Rows in Django's admin as both apps show them: long lists, and pages of our own below a row."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import ModelAdmin
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from groundwork.bounded_paginator import BoundedPaginator

if TYPE_CHECKING:  # generic in the stubs only
    _ModelAdmin = ModelAdmin[Any]
else:
    _ModelAdmin = ModelAdmin

asks_and_does = require_http_methods(["GET", "HEAD", "POST"])
"""For a page that asks on GET and does it on POST."""


class RowAdmin(_ModelAdmin):
    """Rows of which there may be very many, and whose texts may look like others."""

    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator

    class Media:
        css: ClassVar = {"all": ("groundwork/visible_text.css",)}

    def page(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """The pattern of a page of a row; ``view`` is called with the request and the row.

        It has to stand before Django's own patterns, the last of which takes anything. Who is not
        signed in is sent to do so; who may not view such rows gets 403.

        Args:
            route: below ``<pk>/``.
            view: also gets what the route captures.
            name: follows the names of the app and the model in the pattern's own.
        """

        @wraps(view)
        def checked(request: HttpRequest, pk: int, **parts: Any) -> HttpResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            row = self.get_object(request, str(pk))
            if row is None:
                raise Http404(f"there is no such {self.opts.verbose_name}")
            return view(request, row, **parts)

        checked_in_admin = self.admin_site.admin_view(checked)
        return path(f"<int:pk>/{route}", checked_in_admin, name=self.url_name(name))

    def url_name(self, name: str) -> str:
        """The name of a page's pattern; ``admin:`` before it makes that of its URL."""
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def render_page(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        """A template of ours, below ``admin/``, with what every page of the admin shows."""
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(
            request, f"admin/{template}.html", {**shared, "title": title, **context}
        )


class ReadOnlyAdmin(RowAdmin):
    """Rows that no form of Django's adds, changes or deletes."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def log(request: HttpRequest, model: type[Model], flag: int, shown: str, message: str) -> None:
    """Write into the admin's log what was done to something that is no row to be named.

    Args:
        request: of whoever did it.
        model: what it is one of.
        flag: ``ADDITION``, ``CHANGE`` or ``DELETION`` of ``django.contrib.admin.models``.
        shown: how it is called, cut to 200 characters.
        message: what was done.
    """
    LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(model),
        object_repr=shown[:200],
        action_flag=flag,
        change_message=message,
    )


def shown_instant(instant: datetime) -> str:
    """An instant for people, in UTC."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
