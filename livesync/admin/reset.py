"""Reset a store: the page that asks, and the deed."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern

from groundwork.row_admin import asks_and_does
from groundwork.visible_text import visible
from livesync.admin.pages import StorePages
from livesync.models import Store
from livesync.protocol.errors import StorageUnavailableError
from livesync.services.purge import get_purger
from livesync.services.stores import count_live_pulls, reset_store
from livesync.storage.engine import Reset


class ResetForm(forms.Form):
    """Wants the store id typed, as it is or as it is shown.

    ``backend_id`` comes with the page: sent twice, or from a page of before another reset, the form
    does nothing to the history that has begun meanwhile.
    """

    typed = forms.CharField(
        label="Store id",
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "size": 60}),
    )
    backend_id = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, row: Store, data: QueryDict | None = None) -> None:
        super().__init__(data, initial={"backend_id": row.backend_id})
        self._row = row

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        if typed not in (self._row.store_id, visible(self._row.store_id)):
            raise ValidationError("This is not the id of this store.")
        return typed

    def clean_backend_id(self) -> str:
        known: str = self.cleaned_data["backend_id"]
        if known and known != self._row.backend_id:
            raise ValidationError("This store has been reset since you opened this page.")
        return known


class ResetPage(StorePages):
    """Asks on GET, resets on POST; for staff with the permission ``livesync.reset_store``."""

    def urls(self) -> list[URLPattern]:
        """Its URL pattern."""
        return [self.stores.page("reset/", asks_and_does(self.reset), "reset")]

    def reset(self, request: HttpRequest, row: Store) -> HttpResponse:
        if not self.stores.has_reset_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._ask(request, row, ResetForm(row))
        form = ResetForm(row, request.POST)
        if not form.is_valid():
            return self._ask(request, row, form)
        self._reset(request, row)
        return HttpResponseRedirect(self.store_url(row))

    def _ask(self, request: HttpRequest, row: Store, form: ResetForm) -> HttpResponse:
        pulls = count_live_pulls(row.store_id)
        count = f"{row.event_count:,}"
        return self.render(
            request, row, "reset", "Reset", form=form, live_pulls=pulls, event_count=count
        )

    def _reset(self, request: HttpRequest, row: Store) -> None:
        try:
            done = reset_store(row.store_id, by=f"{request.user.get_username()!r} in the admin")
        except StorageUnavailableError:
            messages.error(
                request,
                "The database did not answer. Compare the backend id below with the one you know"
                " before you try again.",
            )
            return
        self.stores.log_change(request, row, _entry(done))
        get_purger().start()
        messages.success(request, f"{_entry(done)} Every client starts over.")


def _entry(done: Reset) -> str:
    return (
        f"Reset: backend id {done.old_backend_id} is now {done.backend_id},"
        f" {done.event_count:,} events are dropped."
    )
