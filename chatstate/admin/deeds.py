"""What an operator may do to a row: a page that asks, the deed by the service, and a note of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString

from chatstate.admin.base import RowsAdmin
from chatstate.protocol.errors import ChatstateError
from chatstate.protocol.messages import FALSE
from chatstate.protocol.operations import Operation
from chatstate.services.browse import carry_out
from groundwork.row_admin import asks_and_does


class Deed(NamedTuple):
    """Something that can be done to a row.

    Args:
        name: in the URL.
        permission: that it needs besides the one to view.
        verb: on the button.
        warning: what it brings about.
        state: changes when the row does; a form of before that does nothing.
        shown: the row, for the page.
        do: does it, and tells whether there was still something to be done it to; may raise a
            ``ChatstateError``.
        note: what is written into the admin's log.
    """

    name: str
    permission: str
    verb: str
    warning: str
    state: Callable[[Any], str]
    shown: Callable[[Any], SafeString]
    do: Callable[[Any], bool]
    note: Callable[[Any], str]


def do(row: Any, operation: Operation) -> bool:
    """Carry out an operation of the row's namespace, as if its bot had asked for it.

    Returns:
        Whether its answer is another one than "no".

    Raises:
        ChatstateError: it could not be done.
    """
    return carry_out(row._state.db, row.namespace, operation) != FALSE


class DeedForm(forms.Form):
    """Says which state of the row was on the page."""

    state = forms.CharField(widget=forms.HiddenInput, max_length=200)


class DeedPage:
    """Asks on GET, does it on POST."""

    def __init__(self, rows: RowsAdmin, deed: Deed) -> None:
        self._rows = rows
        self._deed = deed

    def url(self) -> URLPattern:
        """Its URL pattern."""
        view = asks_and_does(self.answer)
        return self._rows.page(f"{self._deed.name}/", view, self._deed.name)

    def answer(self, request: HttpRequest, row: Any) -> HttpResponse:
        deed = self._deed
        if not request.user.has_perm(deed.permission):
            raise PermissionDenied
        if request.method != "POST":
            return self._ask(request, row)
        form = DeedForm(request.POST)
        is_as_shown = form.is_valid() and form.cleaned_data["state"] == self._state(row)
        try:
            is_done = is_as_shown and deed.do(row)
        except ChatstateError as error:
            messages.error(request, f"Nothing is known to be done: {error}.")
            return self._ask(request, row)
        if not is_done:
            messages.error(request, "It has changed since you opened this page; look again.")
            return self._ask(request, row)
        self._rows.log_change(request, row, deed.note(row))
        messages.success(request, deed.note(row))
        return HttpResponseRedirect(
            reverse(f"admin:chatstate_{self._rows.opts.model_name}_changelist")
        )

    def _state(self, row: Any) -> str:
        # rows of two databases may have one number
        return f"{row._state.db} {self._deed.state(row)}"

    def _ask(self, request: HttpRequest, row: Any) -> HttpResponse:
        return self._rows.render(
            request,
            "confirm",
            self._deed.verb,
            row=row,
            shown=self._deed.shown(row),
            deed=self._deed,
            form=DeedForm(initial={"state": self._state(row)}),
        )
