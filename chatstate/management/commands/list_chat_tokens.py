"""``manage.py list_chat_tokens``: who may come in."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from chatstate.models import Token
from chatstate.services.tokens import rights_of, state_of, tokens
from groundwork.visible_text import visible

_HEAD = ("id", "namespace", "rights", "state", "created", "expires", "last used", "label")


class Command(BaseCommand):
    help = "List the tokens of bots: of one namespace, or all. What they are is kept nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("namespace", nargs="?", help="only its tokens")
        parser.add_argument("--live", action="store_true", help="only those that open anything")

    def handle(self, *, namespace: str | None, live: bool, **options: Any) -> None:
        wanted = tokens().order_by("namespace", "pk")
        if namespace is not None:
            wanted = wanted.filter(namespace=namespace)
        try:
            rows = [_row(t) for t in wanted if not live or state_of(t) == "live"]
        except OperationalError as error:
            raise CommandError(f"the database does not answer: {error}") from error
        if not rows:
            of_namespace = "" if namespace is None else f" of the namespace {visible(namespace)}"
            raise CommandError(f"there is no {'live ' if live else ''}token{of_namespace}")
        self.stdout.write(_table([_HEAD, *rows]))


def _row(token: Token) -> Sequence[str]:
    return (
        str(token.pk),
        token.namespace,
        " ".join(rights_of(token)) or "none",
        state_of(token),
        _instant(token.created_at),
        _instant(token.expires_at),
        _instant(token.last_used_at),
        visible(token.label),
    )


def _instant(instant: datetime | None) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if instant else "never"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
