"""What the admin's own pages of a store have in common."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from groundwork.visible_text import exact_html
from livesync.models import Store

if TYPE_CHECKING:
    from livesync.admin.stores import StoreAdmin


class StorePages:
    """Pages below ``<store pk>/``, for staff who may view stores."""

    def __init__(self, stores: "StoreAdmin") -> None:
        self.stores = stores

    def render(
        self, request: HttpRequest, row: Store, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        """A template of a store's, with what every page of one shows."""
        return self.stores.render_page(
            request,
            f"livesync/store/{template}",
            title,
            store=row,
            shown_id=exact_html(row.store_id),
            has_reset_permission=self.stores.has_reset_permission(request),
            **context,
        )

    def store_url(self, row: Store) -> str:
        """The store's own page."""
        return reverse("admin:livesync_store_change", args=(row.pk,))
