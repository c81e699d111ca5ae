"""What the admin's own pages of a store have in common."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from groundwork.visible_text import exact_html
from livesync.models import Store

if TYPE_CHECKING:
    from livesync.admin.stores import StoreAdmin


class StorePages:
    """Pages below ``<store pk>/``, for staff who may view stores."""

    def __init__(self, stores: "StoreAdmin") -> None:
        self.stores = stores

    def page(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """The pattern of a page; ``view`` is called with the request and the ``Store``.

        Who is not signed in is sent to do so; who may not view stores gets 403.
        """

        @wraps(view)
        def checked(request: HttpRequest, pk: int, **parts: Any) -> HttpResponse:
            return view(request, self._find(request, pk), **parts)

        checked_in_admin = self.stores.admin_site.admin_view(checked)
        return path(f"<int:pk>/{route}", checked_in_admin, name=f"livesync_store_{name}")

    def render(
        self, request: HttpRequest, row: Store, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        """A template of ours, with what every page of the admin and of a store shows."""
        site = self.stores.admin_site
        return TemplateResponse(
            request,
            f"admin/livesync/store/{template}.html",
            {
                **site.each_context(request),
                "opts": Store._meta,
                "media": self.stores.media,
                "store": row,
                "shown_id": exact_html(row.store_id),
                "title": title,
                "has_reset_permission": self.stores.has_reset_permission(request),
                **context,
            },
        )

    def store_url(self, row: Store) -> str:
        """The store's own page."""
        return reverse("admin:livesync_store_change", args=(row.pk,))

    def _find(self, request: HttpRequest, pk: int) -> Store:
        if not self.stores.has_view_permission(request):
            raise PermissionDenied
        row = self.stores.get_object(request, str(pk))
        if row is None:
            raise Http404("there is no such store")
        return row
