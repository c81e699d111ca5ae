"""Tokens of ours, each for one store or for all whose ids begin alike."""

from datetime import datetime
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import QuerySet

from groundwork.tokens import TokenTable
from livesync.auth.grants import Grant, Scope
from livesync.auth.kinds import Kind
from livesync.auth.threads import look_up
from livesync.conf import get_settings
from livesync.hooks import Context
from livesync.models import StoreToken
from livesync.protocol.credentials import given_token
from livesync.protocol.search_params import check_store_id


def _alias() -> str:
    return router.db_for_write(StoreToken) or DEFAULT_DB_ALIAS


TOKENS = TokenTable(StoreToken, prefix="store_", alias=_alias)


class Opens(NamedTuple):
    """What a token opens.

    Args:
        store: a store id, or what the ids begin with.
        is_prefix: which of the two.
        may_push: not only to pull.
    """

    store: str
    is_prefix: bool = False
    may_push: bool = True


class StoreTokens(Kind):
    """``authToken``, or ``Authorization: Bearer ...``, with a token that this server has made."""

    async def authenticate(self, payload: Any, context: Context) -> Grant | None:
        token = given_token(payload, context.headers)
        if not token:
            return None
        found = await look_up(StoreToken, lambda: TOKENS.find(token))
        return None if found is None else _grant(found)

    async def holds(self, grant: Grant) -> bool:
        return await look_up(StoreToken, lambda: TOKENS.is_live(grant.reference))


def create_token(opens: Opens, *, label: str = "", expires_at: datetime | None = None) -> str:
    """Make a token for a store, which need not exist before, or for a prefix.

    Returns:
        The token, which is kept nowhere and cannot be shown again.

    Raises:
        ValueError: no store id can be or begin like this.
    """
    check_store(opens.store)
    return TOKENS.make(label=label, expires_at=expires_at, **opens._asdict())


def check_store(store: str) -> None:
    """Refuse what no store id can be or begin with.

    Raises:
        ValueError: which says why.
    """
    check_store_id(store, max_bytes=get_settings().store_id_max_bytes)


def rights_of(token: StoreToken) -> str:
    """What the token lets do, for people."""
    return "pull push" if token.may_push else "pull"


def tokens() -> "QuerySet[StoreToken]":
    """All tokens of stores."""
    return TOKENS.rows()


def _grant(token: StoreToken) -> Grant:
    scope = Scope(
        stores=frozenset() if token.is_prefix else frozenset({token.store}),
        prefixes=(token.store,) if token.is_prefix else (),
        may_push=token.may_push,
    )
    return Grant(
        scope=scope,
        expires_at=token.expires_at,
        reference=token.pk,
        has_own_permission=True,
    )
