"""What the admin's pages about an app's tokens have in common.

A token is made on a page that shows it once, and revoked on one that asks before; nothing about it
can be changed, and nobody can see it again.
"""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from groundwork.row_admin import ReadOnlyAdmin, asks_and_does, log
from groundwork.tokens import MAX_DAYS, BearerToken, TokenTable, ends_after
from groundwork.visible_text import visible, visible_html

_REVOKED = "It is revoked or has expired already."


class TokenForm(forms.Form):
    """What every token has; an app's form begins with what its tokens open."""

    label = forms.CharField(max_length=200, required=False, help_text="For people: who uses it.")
    days = forms.IntegerField(
        min_value=1,
        max_value=MAX_DAYS,
        required=False,
        help_text="How long it lasts; else for ever.",
    )

    def ends_at(self) -> datetime | None:
        """When a token of this form ends; of the form when it is valid."""
        return ends_after(self.cleaned_data["days"])

    def make(self) -> str:
        """Make the token; of the form when it is valid."""
        raise NotImplementedError  # each app's form does

    def opens(self) -> str:
        """What it opens, for the admin's log; of the form when it is valid."""
        raise NotImplementedError  # each app's form does


class TokenAdmin(ReadOnlyAdmin):
    """Lists tokens, makes one, revokes one. Subclasses say what a token opens."""

    table: ClassVar[TokenTable[Any]]
    form_class: ClassVar[type[TokenForm]]
    sortable_by = ()

    class Media:
        css: ClassVar = {"all": ("groundwork/tokens.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(self._permission("add")))

    def get_urls(self) -> list[URLPattern]:
        return [self.page("revoke/", asks_and_does(self._revoke), "revoke"), *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.form_class(request.POST if request.method == "POST" else None)
        if request.method != "POST" or not form.is_valid():
            return self._render(request, "new", "Make a token", form=form)
        token = form.make()
        self._log_made(request, form)
        # in this answer only: a message would be stored in a cookie
        answer = self._render(request, "new", "The token", token=token)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @admin.display(description="label")
    def shown_label(self, token: BearerToken) -> SafeString:
        return visible_html(token.label) if token.label else format_html("token {}", token.pk)

    @admin.display(description="state")
    def state(self, token: BearerToken) -> str:
        return token.state

    @admin.display(description="")
    def ways(self, token: BearerToken) -> SafeString | str:
        if token.state != "live":
            return ""
        return format_html(
            '<a href="{}">Revoke…</a>', reverse(self._url("revoke"), args=[token.pk])
        )

    def _revoke(self, request: HttpRequest, token: BearerToken) -> HttpResponse:
        if not request.user.has_perm(self._permission("change")):
            raise PermissionDenied
        if request.method != "POST":
            return self._render(
                request, "revoke", "Revoke this token", shown=visible_html(str(token)), token=token
            )
        if self.table.revoke(token.pk):
            note = f"Revoked the token {token.pk}, {visible(str(token))}."
            self.log_change(request, token, note)
            messages.success(request, note)
        else:
            messages.error(request, _REVOKED)
        return HttpResponseRedirect(reverse(self._url("changelist")))

    def _log_made(self, request: HttpRequest, form: TokenForm) -> None:
        shown = f"{visible(form.opens())}: {visible(form.cleaned_data['label'])}"
        log(request, self.model, ADDITION, shown, f"Made a token for {shown}.")

    def _render(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        return self.render_page(request, f"tokens/{template}", title, **context)

    def _permission(self, deed: str) -> str:
        return f"{self.opts.app_label}.{deed}_{self.opts.model_name}"

    def _url(self, name: str) -> str:
        return f"admin:{self.url_name(name)}"
