"""Tokens of bots: make one, which is shown once, and revoke one."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chatstate.admin.base import RowsAdmin, log
from chatstate.admin.deeds import Deed, DeedPage
from chatstate.models import Token
from chatstate.protocol.errors import InvalidError
from chatstate.services.tokens import check_namespace, create_token, revoke, rights_of
from groundwork.tokens import MAX_DAYS, ends_after
from groundwork.visible_text import visible, visible_html

REVOKE = Deed(
    name="revoke",
    permission="chatstate.change_token",
    verb="Revoke this token",
    warning="Whoever uses it is let in no more; its open sockets are closed within a minute."
    " This cannot be undone.",
    state=lambda token: token.state,
    shown=lambda token: visible_html(str(token)),
    do=lambda token: revoke(token.pk),
    note=lambda token: f"Revoked the token {token.pk}, {visible(str(token))}.",
)


class TokenForm(forms.Form):
    """What a token is to open."""

    namespace = forms.CharField(max_length=200, help_text="It need not exist before.")
    label = forms.CharField(max_length=200, required=False, help_text="For people: who uses it.")
    may_write = forms.BooleanField(required=False, initial=True, help_text="Not only read.")
    days = forms.IntegerField(
        min_value=1,
        max_value=MAX_DAYS,
        required=False,
        help_text="How long it lasts; else for ever.",
    )

    def clean_namespace(self) -> str:
        namespace: str = self.cleaned_data["namespace"]
        try:
            check_namespace(namespace)
        except InvalidError as error:
            raise ValidationError(str(error)) from error
        return namespace

    def make(self) -> str:
        """Make the token; of the form when it is valid."""
        return create_token(
            self.cleaned_data["namespace"],
            label=self.cleaned_data["label"],
            rights=("read", "write") if self.cleaned_data["may_write"] else ("read",),
            expires_at=ends_after(self.cleaned_data["days"]),
        )


class TokenAdmin(RowsAdmin):
    """Nobody can see a token here but whoever makes it, once."""

    list_display = (
        "shown_label",
        "namespace",
        "rights",
        "state",
        "created_at",
        "expires_at",
        "last_used_at",
        "ways",
    )
    fields = (*list_display, "revoked_at")
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("chatstate.add_token"))

    def get_urls(self) -> list[URLPattern]:
        return [DeedPage(self, REVOKE).url(), *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TokenForm(request.POST if request.method == "POST" else None)
        if request.method != "POST" or not form.is_valid():
            return self.render(request, "new_token", "Make a token", form=form)
        token = form.make()
        _log(request, form.cleaned_data["namespace"], form.cleaned_data["label"])
        # in this answer only: a message would be stored in a cookie
        return self.render(request, "new_token", "The token", token=token)

    @admin.display(description="label")
    def shown_label(self, token: Token) -> SafeString:
        return visible_html(token.label) if token.label else format_html("token {}", token.pk)

    @admin.display(description="rights")
    def rights(self, token: Token) -> str:
        return " ".join(rights_of(token)) or "none"

    @admin.display(description="state")
    def state(self, token: Token) -> str:
        return token.state

    @admin.display(description="")
    def ways(self, token: Token) -> SafeString | str:
        if token.state != "live":
            return ""
        url = reverse("admin:chatstate_token_revoke", args=(token.pk,))
        return format_html('<a href="{}">Revoke…</a>', url)


def _log(request: HttpRequest, namespace: str, label: str) -> None:
    shown = f"{namespace}: {visible(label)}"
    log(request, Token, ADDITION, shown, f"Made a token for {shown}.")
