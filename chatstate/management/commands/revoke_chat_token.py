"""``manage.py revoke_chat_token``: let a token in no more."""

from chatstate.models import Token
from chatstate.services.tokens import TOKENS
from groundwork.token_commands import RevokeTokenCommand


class Command(RevokeTokenCommand):
    table = TOKENS
    list_command = "list_chat_tokens"

    def opens(self, token: Token) -> str:
        return f"the namespace {token.namespace}"
