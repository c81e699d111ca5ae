"""Make a token for a bot."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatstate.protocol.errors import InvalidError
from chatstate.services.tokens import create_token
from groundwork.token_commands import end_of


class Command(BaseCommand):
    help = "Make a token for a bot, and print it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("namespace", help="what the bot keeps is apart from other namespaces'")
        parser.add_argument("--label", default="", help="for people: who uses it")
        parser.add_argument("--read-only", action="store_true", help="without the right to write")
        parser.add_argument("--days", type=int, help="how long it lasts; for ever without this")

    def handle(
        self,
        *,
        namespace: str,
        label: str,
        read_only: bool,
        days: int | None,
        **options: Any,
    ) -> None:
        try:
            token = create_token(
                namespace,
                label=label,
                rights=("read",) if read_only else ("read", "write"),
                expires_at=end_of(days),
            )
        except InvalidError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(token)
