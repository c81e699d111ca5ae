"""What a process remembers of where stores live; the engines put right what is out of date."""

from collections.abc import Callable, Sequence

from livesync.models import Place
from livesync.storage.places import find_places

_MAX_REMEMBERED = 50_000


class PlaceMemory:
    """Remembers places, as the rows of stores said them when they were looked at.

    Args:
        alias: of the central tables.
        choose: the place of a new store; None if all new ones go to the database. Then stores in
            the database need not be remembered: that is where one is looked for first.
    """

    def __init__(self, alias: str, choose: Callable[[str], Place] | None) -> None:
        self._alias = alias
        self._choose = choose
        self._remembered: dict[str, str] = {}

    @property
    def is_all_in_database(self) -> bool:
        """Whether nothing is known of files."""
        return self._choose is None and not self._remembered

    @property
    def must_ask(self) -> bool:
        """Whether a store that is not remembered may be anywhere."""
        return self._choose is not None

    def chosen(self, store_id: str) -> Place:
        """Where a new store is to live."""
        return Place.DATABASE if self._choose is None else self._choose(store_id)

    def get(self, store_id: str) -> str | None:
        """The place that is remembered."""
        return self._remembered.get(store_id)

    def find(self, store_id: str) -> str | None:
        """The place that is remembered, or else is looked up where that is needed."""
        place = self.get(store_id)
        return self.look_up_one(store_id) if place is None and self.must_ask else place

    def look_up_one(self, store_id: str) -> str | None:
        """``look_up`` for one; None if there is no such store."""
        return self.look_up([store_id]).get(store_id)

    def look_up(self, store_ids: Sequence[str]) -> dict[str, str]:
        """The places of those stores that exist, from their rows.

        Raises:
            StorageUnavailableError: the database is out of reach.
        """
        places = find_places(self._alias, store_ids)
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.clear()
        for store_id in store_ids:
            place = places.get(store_id)
            if place == Place.FILES or (place == Place.DATABASE and self.must_ask):
                self._remembered[store_id] = place
            else:
                self.forget(store_id)
        return places

    def forget(self, store_id: str) -> None:
        """Look it up when it is asked for again."""
        self._remembered.pop(store_id, None)
