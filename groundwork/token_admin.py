"""What the admin's pages about an app's tokens have in common.

A token is made on a page that shows it once, and revoked on one that asks before; nothing about it
can be changed, and nobody can see it again.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.admin.options import ModelAdmin
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from groundwork.bounded_paginator import BoundedPaginator
from groundwork.tokens import MAX_DAYS, BearerToken, TokenTable, ends_after
from groundwork.visible_text import visible, visible_html

if TYPE_CHECKING:  # generic in the stubs only
    _ModelAdmin = ModelAdmin[BearerToken]
else:
    _ModelAdmin = ModelAdmin

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


class TokenAdmin(_ModelAdmin):
    """Lists tokens, makes one, revokes one. Subclasses say what a token opens."""

    table: ClassVar[TokenTable[Any]]
    form_class: ClassVar[type[TokenForm]]
    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    actions = None
    sortable_by = ()

    class Media:
        css: ClassVar = {"all": ("groundwork/visible_text.css", "groundwork/tokens.css")}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(self._permission("add")))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        # before Django's own, the last of which takes anything
        return [self._page("revoke/", self._revoke, "revoke"), *super().get_urls()]

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
        LogEntry.objects.create(
            user_id=cast(int, request.user.pk),
            content_type=ContentType.objects.get_for_model(self.model),
            object_repr=shown[:200],
            action_flag=ADDITION,
            change_message=f"Made a token for {shown}.",
        )

    def _page(
        self, route: str, view: Callable[[HttpRequest, BearerToken], HttpResponse], name: str
    ) -> URLPattern:
        @wraps(view)
        def checked(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            token = self.get_object(request, str(pk))
            if token is None:
                raise Http404("there is no such token")
            return view(request, token)

        safe = require_http_methods(["GET", "HEAD", "POST"])(self.admin_site.admin_view(checked))
        return path(f"<int:pk>/{route}", safe, name=self._url(name).removeprefix("admin:"))

    def _render(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(
            request, f"admin/tokens/{template}.html", {**shared, "title": title, **context}
        )

    def _permission(self, deed: str) -> str:
        return f"{self.opts.app_label}.{deed}_{self.opts.model_name}"

    def _url(self, name: str) -> str:
        return f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}"
