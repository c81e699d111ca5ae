"""Make a token for a bot."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from chatstate.protocol.errors import InvalidError
from chatstate.services.tokens import MAX_DAYS, create_token


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
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days must be 1 to {MAX_DAYS:,}")
        try:
            token = create_token(
                namespace,
                label=label,
                rights=("read",) if read_only else ("read", "write"),
                expires_at=None if days is None else timezone.now() + timedelta(days=days),
            )
        except InvalidError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(token)
