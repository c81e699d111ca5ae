"""Where a store lives: the row of a store says so, and an engine looks at it with each access."""

from livesync.models import Place
from livesync.protocol.errors import StoreArrivingError


class StoreElsewhereError(Exception):
    """Another engine keeps the store; nothing was done. Whoever asks finds its place, asks there.

    Never leaves ``livesync.storage``.
    """


def check_place(place: str) -> None:
    """Check that the central tables keep a store; ``place`` was read with what is done to it.

    Raises:
        StoreElsewhereError: another engine does.
        StoreArrivingError: nobody does yet.
    """
    if place == Place.DATABASE:
        return
    raise StoreElsewhereError if place == Place.FILES else StoreArrivingError
