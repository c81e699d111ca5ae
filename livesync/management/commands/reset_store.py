"""``manage.py reset_store``: a new backend id, an empty history."""

import getpass
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from groundwork.visible_text import visible
from livesync.protocol.errors import LivesyncError
from livesync.services.purge import purge_ended_histories
from livesync.services.stores import inspect_store, reset_store

_PROGRESS_EVERY_S = 2.0


class Command(BaseCommand):
    help = "Empty a store and give it a new backend id, so that every client starts over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("store_id")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *, store_id: str, **options: Any) -> None:
        try:
            if not options["yes"]:
                self._ask(store_id)
            done = reset_store(store_id, by=f"{_user()} with manage.py reset_store")
            self.stdout.write(f"store {visible(store_id)} is now backend {done.backend_id}")
            self._purge()
        except LivesyncError as error:
            raise CommandError(str(error)) from error

    def _ask(self, store_id: str) -> None:
        store = inspect_store(store_id)
        self.stdout.write(
            f"This deletes {store.event_count:,} events of store {visible(store_id)}, and makes"
            " every client throw away its copy and what it has not pushed yet."
        )
        try:
            typed = input("Type the store id to go on: ")
        except EOFError:
            raise CommandError("nobody is there to confirm; --yes does not ask") from None
        if typed not in (store_id, visible(store_id)):
            raise CommandError("that is not the store id; nothing was changed")

    def _purge(self) -> None:
        deleted = 0
        told_at = time.monotonic()
        try:
            for count in purge_ended_histories():
                deleted += count
                if time.monotonic() - told_at > _PROGRESS_EVERY_S:
                    told_at = time.monotonic()
                    self.stdout.write(f"deleted {deleted:,} old events so far")
        except KeyboardInterrupt:
            raise CommandError("the server deletes the rest of the old events") from None
        self.stdout.write(f"deleted {deleted:,} old events")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return "somebody"
