"""``manage.py revoke_chat_token``: let a token in no more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from chatstate.models import Token
from chatstate.services.tokens import revoke, state_of, tokens

_MAX_ID = 2**63 - 1


class Command(BaseCommand):
    help = "Revoke a token. Sockets that it has opened are closed within a minute."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="as manage.py list_chat_tokens shows it")

    def handle(self, *, id: int, **options: Any) -> None:
        try:
            token = self._find(id)
            if not revoke(id):
                token.refresh_from_db()
                raise CommandError(f"the token {id} is {state_of(token)} already")
        except OperationalError as error:
            raise CommandError(f"the database does not answer: {error}") from error
        self.stdout.write(f"token {id} of the namespace {token.namespace} is revoked")

    def _find(self, token_id: int) -> Token:
        token = tokens().filter(pk=token_id).first() if 0 < token_id <= _MAX_ID else None
        if token is None:
            raise CommandError(f"there is no token {token_id}; see manage.py list_chat_tokens")
        return token
