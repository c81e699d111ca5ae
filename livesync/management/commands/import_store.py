"""``manage.py import_store``: bring a store here from a file."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from groundwork.visible_text import visible
from livesync.management.progress import Progress
from livesync.protocol.errors import LivesyncError
from livesync.services.import_target import ImportRequest
from livesync.services.importing import Imported, import_store


class Command(BaseCommand):
    help = (
        "Bring a store here from a file: of a Durable Object, of a D1 database or its dump, or of "
        "export_store or LiveStore's command line. Run again after it was cut off, it goes on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("store_id", nargs="?", help="which store of the file")
        parser.add_argument("--to", metavar="STORE", help="its id here, if it gets another one")
        parser.add_argument(
            "--context",
            type=Path,
            metavar="FILE",
            help="the Durable Object's own file, where the events are in D1",
        )
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--backend-id", metavar="ID", help="the history's identity, if the file says none"
        )
        which.add_argument(
            "--new-backend-id",
            action="store_true",
            help="give it a new identity if the file says none: clients start over",
        )
        parser.add_argument(
            "--beyond-head",
            action="store_true",
            help="take also events above the head that the file's server knows",
        )
        parser.add_argument(
            "--restart", action="store_true", help="forget what an import left that was cut off"
        )
        parser.add_argument("--dry-run", action="store_true", help="check all, change nothing")

    def handle(self, **options: Any) -> None:
        request = ImportRequest(
            path=options["file"],
            store_id=options["store_id"],
            target=options["to"],
            context=options["context"],
            backend_id=options["backend_id"],
            is_new_history=options["new_backend_id"],
            beyond_head=options["beyond_head"],
            restart=options["restart"] and not options["dry_run"],
        )
        try:
            with Progress(sys.stderr, "read") as progress:
                done = import_store(
                    request,
                    is_dry_run=options["dry_run"],
                    tell=lambda note: self.stdout.write(f"note: {note}"),
                    progress=progress.show,
                )
        except LivesyncError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("cut off; the same command goes on") from None
        self.stdout.write(_text(done, is_dry_run=options["dry_run"]))


def _text(done: Imported, *, is_dry_run: bool) -> str:
    verb = "would get" if is_dry_run else "got"
    return (
        f"store {visible(done.store_id)} {verb} {done.added:,} events from the {done.origin.kind}: "
        f"{done.event_count:,} events, head {done.head}, backend id {done.backend_id}"
    )
