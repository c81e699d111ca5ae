"""Tokens of stores: make one, which is shown once, and revoke one."""

from django import forms
from django.contrib import admin
from django.utils.safestring import SafeString

from groundwork.token_admin import TokenAdmin, TokenForm
from groundwork.visible_text import distinct_html
from livesync.admin.store_field import StoreField
from livesync.auth.store_tokens import TOKENS, Opens, create_token, rights_of
from livesync.models import StoreToken


class StoreTokenForm(TokenForm):
    """What a token is to open."""

    store = StoreField(help_text="Its id; the store need not exist before.")
    is_prefix = forms.BooleanField(
        label="Prefix", required=False, help_text="All stores whose ids begin like this."
    )
    may_push = forms.BooleanField(required=False, initial=True, help_text="Not only pull.")
    field_order = ("store", "is_prefix", "may_push")

    def make(self) -> str:
        opens = {name: self.cleaned_data[name] for name in Opens._fields}
        return create_token(
            Opens(**opens), label=self.cleaned_data["label"], expires_at=self.ends_at()
        )

    def opens(self) -> str:
        end = "*" if self.cleaned_data["is_prefix"] else ""
        return f"{self.cleaned_data['store']}{end}"


class StoreTokenAdmin(TokenAdmin):
    """Nobody can see a token here but whoever makes it, once."""

    table = TOKENS
    form_class = StoreTokenForm
    list_display = (
        *("shown_label", "shown_store", "rights", "state"),
        *("created_at", "expires_at", "last_used_at", "ways"),
    )
    fields = (*list_display, "revoked_at")
    search_fields = ("store", "label")
    search_help_text = "Any part of a store id or label."

    @admin.display(description="store")
    def shown_store(self, token: StoreToken) -> SafeString:
        return distinct_html(token.opens)

    @admin.display(description="rights")
    def rights(self, token: StoreToken) -> str:
        return rights_of(token)
