"""Who may sync which store, where ``LIVESYNC["store_permissions"]`` is on."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.safestring import SafeString

from groundwork.row_admin import RowAdmin
from groundwork.visible_text import distinct_html, visible_html
from livesync.admin.store_field import StoreField
from livesync.auth.permissions import GROUP, SUBJECT, USER
from livesync.conf import get_settings
from livesync.models import StorePermission

if TYPE_CHECKING:  # generic in the stubs only
    _ModelForm = forms.ModelForm[StorePermission]
else:
    _ModelForm = forms.ModelForm

_SUBJECT_MAX_CHARS = 255


class StorePermissionForm(_ModelForm):
    """Names a user or group by name; what is stored is the primary key."""

    holder_key = forms.CharField(
        label="Holder",
        max_length=_SUBJECT_MAX_CHARS,
        help_text="Name of the user or group, or what <code>sub</code> of the tokens says.",
    )
    store = StoreField(help_text="A store id, or what the ids begin with.")

    class Meta:
        model = StorePermission
        fields = ("holder_kind", "holder_key", "store", "is_prefix", "may_push")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["holder_key"] = holder_name(self.instance)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        kind, name = self.cleaned_data.get("holder_kind"), self.cleaned_data.get("holder_key")
        if kind and name:
            self.cleaned_data["holder_key"] = _key_of(kind, name)
        return cleaned


class StorePermissionAdmin(RowAdmin):
    """Adds, changes and deletes permissions; open sockets notice within a minute."""

    form = StorePermissionForm
    list_display = ("shown_holder", "holder_kind", "shown_store", "is_prefix", "may_push")
    list_filter = ("holder_kind", "may_push")
    search_fields = ("store",)
    search_help_text = "Any part of a store id."

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        is_on = get_settings().store_permissions
        title = "Store permissions" if is_on else "Store permissions (not asked for at present)"
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    @admin.display(description="holder")
    def shown_holder(self, permission: StorePermission) -> SafeString:
        return visible_html(holder_name(permission))

    @admin.display(description="store", ordering="store")
    def shown_store(self, permission: StorePermission) -> SafeString:
        return distinct_html(permission.store)


def holder_name(permission: StorePermission) -> str:
    """Whom a permission is about, by name; one that is gone by its key."""
    key = permission.holder_key
    if permission.holder_kind == SUBJECT:
        return key
    if permission.holder_kind == GROUP:
        group = Group.objects.filter(pk=key).first()
        return f"#{key}, deleted" if group is None else group.name
    user = get_user_model()._default_manager.filter(pk=key).first()
    return f"#{key}, deleted" if user is None else user.get_username()


def _key_of(kind: str, name: str) -> str:
    if kind == SUBJECT:
        return name
    if kind == USER:
        user_model = get_user_model()
        found: Any = user_model._default_manager.filter(**{user_model.USERNAME_FIELD: name}).first()
    else:
        found = Group.objects.filter(name=name).first()
    if found is None:
        raise ValidationError({"holder_key": f"There is no {kind} of this name."})
    return str(found.pk)
