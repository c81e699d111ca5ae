"""``manage.py tail_store``: a store's events, as they come."""

import os
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from groundwork.visible_text import visible
from livesync.client import Client, Page
from livesync.management.client_options import add_client_options, make_client
from livesync.management.event_lines import json_line, text_line
from livesync.protocol.errors import LivesyncError
from livesync.services.stores import inspect_store


class Command(BaseCommand):
    help = "Show the events of a store, those that are stored and those that come, until Ctrl+C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("store_id")
        parser.add_argument("--after", type=int, metavar="N", help="begin behind event N")
        parser.add_argument("--once", action="store_true", help="end behind what is stored")
        parser.add_argument("--json", action="store_true", help="an object a line, for programs")
        add_client_options(parser)

    def handle(self, *, store_id: str, **options: Any) -> None:
        try:
            if options["url"] is None:
                inspect_store(store_id)  # a pull would make one that is misspelt
            with make_client(store_id, options) as client:
                self._show(self._pages(client, options), as_json=options["json"])
        except LivesyncError as error:
            raise CommandError(visible(str(error))) from error
        except KeyboardInterrupt:
            return
        except BrokenPipeError:  # whoever reads has had enough, as with `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def _pages(self, client: Client, options: dict[str, Any]) -> Iterator[Page]:
        after = options["after"]
        if options["once"]:
            return client.pull_pages(after)
        return client.live_pages(after, on_reset=self._tell_reset)

    def _show(self, pages: Iterator[Page], *, as_json: bool) -> None:
        line = json_line if as_json else text_line
        for page in pages:
            for event in page.events:
                self.stdout.write(line(event))
            self.stdout.flush()

    def _tell_reset(self, backend_id: str) -> None:
        self.stderr.write(f"the store has another history now: backend {visible(backend_id)}")
