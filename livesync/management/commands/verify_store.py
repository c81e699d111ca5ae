"""``manage.py verify_store``: is what is stored a sound history?"""

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import pluralize

from groundwork.visible_text import visible
from livesync.protocol.errors import LivesyncError
from livesync.services.stores import all_store_ids
from livesync.services.verify import verify_store


class Command(BaseCommand):
    help = "Read stores from end to end and tell what is wrong; exit code 1 if anything is."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("store_id", nargs="?")
        which.add_argument("--all", action="store_true", help="every store")

    def handle(self, *, store_id: str | None, **options: Any) -> None:
        store_ids: Iterable[str] = all_store_ids() if store_id is None else (store_id,)
        stores = findings = 0
        try:
            for one in store_ids:
                stores += 1
                findings += self._verify(one)
        except LivesyncError as error:
            raise CommandError(str(error)) from error
        checked = f"{stores} store{pluralize(stores)}"
        if findings:
            raise CommandError(f"{findings} finding{pluralize(findings)} in {checked}")
        self.stdout.write(f"{checked} verified, nothing found")

    def _verify(self, store_id: str) -> int:
        count = 0
        for finding in verify_store(store_id):
            count += 1
            subject = "" if finding.seq_num is None else f"event {finding.seq_num} "
            self.stdout.write(f"{visible(store_id)}: {subject}{finding.text}")
        return count
