"""``manage.py list_chat_tokens``: who may come in."""

from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from typing import Any

from chatstate.models import Token
from chatstate.services.tokens import rights_of, tokens
from groundwork.token_commands import ListTokensCommand
from groundwork.visible_text import visible


class Command(ListTokensCommand):
    help = "List the tokens of bots: of one namespace, or all. What they are is kept nowhere."
    opens_head = ("namespace", "rights")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("namespace", nargs="?", help="only its tokens")
        super().add_arguments(parser)

    def wanted(self, **options: Any) -> tuple[Iterable[Token], str]:
        namespace: str | None = options["namespace"]
        rows = tokens().order_by("namespace", "pk")
        if namespace is None:
            return rows, ""
        return rows.filter(namespace=namespace), f" of the namespace {visible(namespace)}"

    def opens(self, token: Token) -> Sequence[str]:
        return token.namespace, " ".join(rights_of(token)) or "none"
