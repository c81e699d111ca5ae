"""``manage.py create_store_token``: let somebody in, for one store or for those of a prefix."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from groundwork.token_commands import end_of
from livesync.auth.store_tokens import Opens, create_token


class Command(BaseCommand):
    help = "Make a token that opens a store, and print it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", help="its id, or what the ids begin with; it need not exist")
        parser.add_argument("--prefix", action="store_true", help="all stores that begin like this")
        parser.add_argument("--label", default="", help="for people: who uses it")
        parser.add_argument("--read-only", action="store_true", help="without the right to push")
        parser.add_argument("--days", type=int, help="how long it lasts; for ever without this")

    def handle(
        self,
        *,
        store: str,
        prefix: bool,
        label: str,
        read_only: bool,
        days: int | None,
        **options: Any,
    ) -> None:
        opens = Opens(store, is_prefix=prefix, may_push=not read_only)
        try:
            token = create_token(opens, label=label, expires_at=end_of(days))
        except ValueError as error:
            raise CommandError(f"no store can have this id: it is {error}") from error
        except OperationalError as error:
            raise CommandError(f"the database does not answer: {error}") from error
        self.stdout.write(token)
