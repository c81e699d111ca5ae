"""Where a form asks for a store, or for what the ids of stores begin with."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from livesync.auth.store_tokens import check_store


class StoreField(forms.CharField):
    """Takes what a store id can be or begin with, white space included."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)

    def validate(self, value: str) -> None:
        super().validate(value)
        try:
            check_store(value)
        except ValueError as error:
            raise ValidationError(f"No store can have this id: it is {error}.") from error
