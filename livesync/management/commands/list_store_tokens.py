"""``manage.py list_store_tokens``: whom tokens of stores let in."""

from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from typing import Any

from groundwork.token_commands import ListTokensCommand
from groundwork.visible_text import visible
from livesync.auth.store_tokens import rights_of, tokens
from livesync.models import StoreToken


class Command(ListTokensCommand):
    help = "List the tokens that open a store, or all. What they are is kept nowhere."
    opens_head = ("store", "rights")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", nargs="?", help="only what opens it, prefixes included")
        super().add_arguments(parser)

    def wanted(self, **options: Any) -> tuple[Iterable[StoreToken], str]:
        store: str | None = options["store"]
        rows = tokens().order_by("store", "pk")
        if store is None:
            return rows, ""
        return [token for token in rows if token.covers(store)], f" of the store {visible(store)}"

    def opens(self, token: StoreToken) -> Sequence[str]:
        return visible(token.opens), rights_of(token)
