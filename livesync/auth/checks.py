"""System checks: what an operator should hear of authentication before the site starts."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error

from livesync.auth.hooks import AuthHooks
from livesync.auth.kinds import KINDS
from livesync.hooks import Hooks


def check_auth(site_hooks: Hooks) -> Iterator[CheckMessage]:
    """Refuse choices that would let in nobody, or anybody."""
    if not isinstance(site_hooks, AuthHooks):
        return
    try:
        kinds = site_hooks.loaded_kinds()
    except (ImportError, TypeError) as error:
        yield Error(
            f"A kind of LIVESYNC['auth'] cannot be loaded: {error}",
            hint=f"Ours are {', '.join(KINDS)}.",
            id="livesync.E005",
        )
        return
    if not kinds:
        yield Error(
            "LIVESYNC['auth'] is empty, so every sync request is refused.",
            hint=f"Name what lets in: {', '.join(KINDS)}, or dotted paths of your own.",
            id="livesync.E006",
        )
    for kind in kinds:
        yield from kind.check()
