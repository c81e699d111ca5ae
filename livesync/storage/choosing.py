"""Which engine keeps a new store, as the site wants it."""

from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from livesync.conf import get_settings
from livesync.models import Place


def chooser() -> Callable[[str], Place] | None:
    """Gives the place of a new store by its id; None if the database keeps all new ones.

    Raises:
        ImproperlyConfigured: ``LIVESYNC["engine"]`` is neither an engine nor a function's path.
    """
    name = get_settings().engine
    if name == Place.DATABASE:
        return None
    if name == Place.FILES:
        return lambda _: Place.FILES
    choose = _load(name)
    return lambda store_id: _place(choose(store_id))


def _load(path: str) -> Callable[[str], str]:
    try:
        choose = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"LIVESYNC['engine'] is {path!r}: neither 'database' nor 'files' nor a function's path"
        ) from error
    if not callable(choose):
        raise ImproperlyConfigured(f"LIVESYNC['engine']: {path} is no function")
    found: Callable[[str], str] = choose
    return found


def _place(name: str) -> Place:
    if name not in (Place.DATABASE, Place.FILES):
        raise ImproperlyConfigured(f"the function in LIVESYNC['engine'] has returned {name!r}")
    return Place(name)
