"""Tokens of bots: make one, which is shown once, and revoke one."""

from typing import ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError

from chatstate.admin.base import RowsAdmin
from chatstate.models import Token
from chatstate.protocol.errors import InvalidError
from chatstate.services.tokens import TOKENS, check_namespace, create_token, rights_of
from groundwork import token_admin


class TokenForm(token_admin.TokenForm):
    """What a token is to open."""

    namespace = forms.CharField(max_length=200, help_text="It need not exist before.")
    may_write = forms.BooleanField(required=False, initial=True, help_text="Not only read.")
    field_order = ("namespace", "may_write")

    def clean_namespace(self) -> str:
        namespace: str = self.cleaned_data["namespace"]
        try:
            check_namespace(namespace)
        except InvalidError as error:
            raise ValidationError(str(error)) from error
        return namespace

    def make(self) -> str:
        return create_token(
            self.cleaned_data["namespace"],
            label=self.cleaned_data["label"],
            rights=("read", "write") if self.cleaned_data["may_write"] else ("read",),
            expires_at=self.ends_at(),
        )

    def opens(self) -> str:
        return str(self.cleaned_data["namespace"])


class TokenAdmin(token_admin.TokenAdmin, RowsAdmin):
    """Nobody can see a token here but whoever makes it, once."""

    table = TOKENS
    form_class = TokenForm
    list_display = (
        *("shown_label", "namespace", "rights", "state"),
        *("created_at", "expires_at", "last_used_at", "ways"),
    )
    fields = (*list_display, "revoked_at")

    class Media:  # both bases have one
        css: ClassVar = {"all": ("groundwork/tokens.css",)}

    @admin.display(description="rights")
    def rights(self, token: Token) -> str:
        return " ".join(rights_of(token)) or "none"
