"""What the commands about an app's tokens have in common."""

from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from groundwork.tokens import MAX_ID, BearerToken, TokenTable, ends_after
from groundwork.visible_text import visible


class ListTokensCommand(BaseCommand):
    """Prints a table. Subclasses say which tokens are wanted, and what each opens."""

    help = "List tokens. What they are is kept nowhere."
    opens_head: ClassVar[Sequence[str]]
    """Heads of the columns that tell what a token opens."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--live", action="store_true", help="only those that open anything")

    def wanted(self, **options: Any) -> tuple[Iterable[Any], str]:
        """The tokens, and what they have in common, as `` of the store notes``; "" for all."""
        raise NotImplementedError  # each app's command does

    def opens(self, token: Any) -> Sequence[str]:
        """The cells of the columns in ``opens_head``."""
        raise NotImplementedError  # each app's command does

    def handle(self, *, live: bool, **options: Any) -> None:
        wanted, what = self.wanted(**options)
        try:
            rows = [self._row(token) for token in wanted if not live or token.state == "live"]
        except OperationalError as error:
            raise CommandError(f"the database does not answer: {error}") from error
        if not rows:
            raise CommandError(f"there is no {'live ' if live else ''}token{what}")
        tail = ("state", "created", "expires", "last used", "label")
        self.stdout.write(_table([("id", *self.opens_head, *tail), *rows]))

    def _row(self, token: BearerToken) -> Sequence[str]:
        return (
            str(token.pk),
            *self.opens(token),
            token.state,
            _instant(token.created_at),
            _instant(token.expires_at),
            _instant(token.last_used_at),
            visible(token.label),
        )


class RevokeTokenCommand(BaseCommand):
    """Lets a token in no more. Subclasses say where it is kept."""

    help = "Revoke a token. Sockets that it has opened are closed within a minute."
    table: ClassVar[TokenTable[Any]]
    list_command: ClassVar[str]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int, help=f"as manage.py {self.list_command} shows it")

    def opens(self, token: Any) -> str:
        """What the token opens, as ``the store notes``."""
        raise NotImplementedError  # each app's command does

    def handle(self, *, id: int, **options: Any) -> None:
        try:
            token = self._find(id)
            if not self.table.revoke(id):
                token.refresh_from_db()
                raise CommandError(f"the token {id} is {token.state} already")
        except OperationalError as error:
            raise CommandError(f"the database does not answer: {error}") from error
        self.stdout.write(f"token {id} of {self.opens(token)} is revoked")

    def _find(self, token_id: int) -> BearerToken:
        rows = self.table.rows()
        token: BearerToken | None = (
            rows.filter(pk=token_id).first() if 0 < token_id <= MAX_ID else None
        )
        if token is None:
            raise CommandError(f"there is no token {token_id}; see manage.py {self.list_command}")
        return token


def end_of(days: int | None) -> datetime | None:
    """What ``--days`` says.

    Raises:
        CommandError: it cannot be.
    """
    try:
        return ends_after(days)
    except ValueError as error:
        raise CommandError(f"--days {error}") from error


def _instant(instant: datetime | None) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if instant else "never"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
