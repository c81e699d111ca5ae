"""``manage.py revoke_store_token``: let a token in no more."""

from groundwork.token_commands import RevokeTokenCommand
from groundwork.visible_text import visible
from livesync.auth.store_tokens import TOKENS
from livesync.models import StoreToken


class Command(RevokeTokenCommand):
    table = TOKENS
    list_command = "list_store_tokens"

    def opens(self, token: StoreToken) -> str:
        return f"the store {visible(token.opens)}"
