"""One dict of Django settings, read once into one frozen object."""

import difflib
from dataclasses import fields
from typing import Any, Generic, TypeVar, get_type_hints

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

T = TypeVar("T")


class SettingsReader(Generic[T]):
    """Reads ``settings.<name>`` into ``cls``, a frozen dataclass with a default for each field.

    Calling it returns the object, which is kept until Django says that the setting has changed. A
    field with ``repr=False`` is a secret: no error shows its value.

    Raises:
        ImproperlyConfigured: a key that ``cls`` does not have, or a value of another type.
    """

    def __init__(self, name: str, cls: type[T]) -> None:
        self._name = name
        self._cls = cls
        self._value: T | None = None
        known = fields(cls)  # type: ignore[arg-type] # every T is a dataclass
        self._secrets = {each.name for each in known if not each.repr}
        setting_changed.connect(self._forget, dispatch_uid=f"groundwork.settings.{name}")

    def __call__(self) -> T:
        if self._value is None:
            self._value = self._read(getattr(settings, self._name, {}))
        return self._value

    def _forget(self, *, setting: str, **_: Any) -> None:
        if setting == self._name:
            self._value = None

    def _read(self, given: dict[str, Any]) -> T:
        hints = get_type_hints(self._cls)
        for key, value in given.items():
            if key not in hints:
                raise ImproperlyConfigured(f"{self._name}: unknown key {key!r}{_hint(key, hints)}")
            if not _fits(value, hints[key]):
                given_as = type(value).__name__ if key in self._secrets else repr(value)
                raise ImproperlyConfigured(
                    f"{self._name}[{key!r}] must be {_name(hints[key])}, not {given_as}"
                )
        return self._cls(**given)


def _hint(key: str, known: dict[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _fits(value: object, wanted: Any) -> bool:
    origin = getattr(wanted, "__origin__", wanted)
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin)


def _name(wanted: Any) -> str:
    return str(getattr(wanted, "__name__", wanted))
