"""``manage.py move_store``: from the central tables to a file of its own, or back."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import pluralize

from groundwork.visible_text import visible
from livesync.models import Place
from livesync.protocol.errors import LivesyncError
from livesync.services.move import move_store
from livesync.services.purge import purge_ended_histories
from livesync.services.stores import inspect_store

_PROGRESS_EVERY_S = 2.0


class Command(BaseCommand):
    help = "Move a store to the other engine while clients go on; they notice nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("store_id")
        places = (Place.DATABASE.value, Place.FILES.value)
        parser.add_argument("--to", required=True, choices=places, help="where it is to live")

    def handle(self, *, store_id: str, to: str, **options: Any) -> None:
        try:
            self._move(store_id, Place(to))
            store = inspect_store(store_id)
            events = f"{store.event_count:,} event{pluralize(store.event_count)}"
            self.stdout.write(f"store {visible(store_id)} is kept in {store.place}: {events}")
            for _ in purge_ended_histories():
                pass
        except LivesyncError as error:
            raise CommandError(str(error)) from error

    def _move(self, store_id: str, to: Place) -> None:
        told_at = time.monotonic()
        for copied in move_store(store_id, to, by="manage.py move_store"):
            if time.monotonic() - told_at > _PROGRESS_EVERY_S:
                told_at = time.monotonic()
                self.stdout.write(f"copied {copied:,} events so far")
