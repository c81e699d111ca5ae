"""``manage.py export_store``: write a store to a file."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from groundwork.visible_text import visible
from livesync.management.progress import Progress
from livesync.protocol.errors import LivesyncError
from livesync.services.exporting import FORMATS, export_store


class Command(BaseCommand):
    help = "Write a store to a file, beside a running server; pushes that come later are left out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("store_id")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default="json",
            help="json: of LiveStore's command line; sqlite: of a Durable Object",
        )
        parser.add_argument("--force", action="store_true", help="replace a file that is there")

    def handle(self, *, store_id: str, file: Path, **options: Any) -> None:
        try:
            with Progress(sys.stderr, "written") as progress:
                done = export_store(
                    store_id,
                    file,
                    format_name=options["format"],
                    overwrite=options["force"],
                    progress=progress.show,
                )
        except LivesyncError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("cut off; there is no file") from None
        self.stdout.write(
            f"{done.event_count:,} events of store {visible(done.store_id)} are in {file}: "
            f"head {done.head}, backend id {done.backend_id}"
        )
