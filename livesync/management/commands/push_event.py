"""``manage.py push_event``: one more event at the end of a store."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from msgspec import Raw

from groundwork.strict_json import JsonError
from groundwork.visible_text import visible
from livesync.client import ABSENT, Draft
from livesync.management.client_options import add_client_options, make_client
from livesync.protocol.errors import LivesyncError


class Command(BaseCommand):
    help = "Push an event to a store; every client of it gets it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("store_id")
        parser.add_argument("name", help="of the event, as in the app's schema")
        parser.add_argument("json", nargs="?", metavar="ARGS", help="JSON; none without it")
        parser.add_argument("--after", type=int, metavar="N", help="refuse if the head is not N")
        parser.add_argument("--client-id", help="stands in the event; at random without it")
        add_client_options(parser)

    def handle(self, *, store_id: str, name: str, json: str | None, **options: Any) -> None:
        draft = Draft(name, ABSENT if json is None else Raw(json.encode(errors="replace")))
        try:
            with make_client(store_id, options, client_id=options["client_id"]) as client:
                cursor = client.push([draft], after=options["after"])
        except JsonError as error:
            raise CommandError(f"ARGS is no JSON: {visible(str(error))}") from error
        except LivesyncError as error:
            raise CommandError(visible(str(error))) from error
        self.stdout.write(f"event {cursor.seq_num} of store {visible(store_id)} is stored")
