"""Who may come in: tokens, each bound to one namespace and a set of rights."""

import logging
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from django.db.models import QuerySet

from chatstate.models import Token
from chatstate.protocol.errors import InvalidError, UnavailableError
from chatstate.protocol.operations import Right
from chatstate.sharding import default_alias
from groundwork.connections import DatabaseUnavailableError
from groundwork.tokens import TokenTable

T = TypeVar("T")

logger = logging.getLogger(__name__)

TOKENS = TokenTable(Token, prefix="chat_", alias=default_alias)
"""They are kept in the database of the default shard."""

_NAMESPACE = re.compile(r"[\w.:@/-]{1,200}", re.ASCII)


class Principal(NamedTuple):
    """Who a token stands for."""

    token_id: int
    namespace: str
    rights: Sequence[Right]


def create_token(
    namespace: str,
    *,
    label: str = "",
    rights: Sequence[Right] = ("read", "write"),
    expires_at: datetime | None = None,
) -> str:
    """Make a token for a namespace, which need not exist before.

    Returns:
        The token, which is kept nowhere and cannot be shown again.

    Raises:
        InvalidError: the namespace is not 1 to 200 ASCII letters, digits and ``_ . : @ / -``.
    """
    check_namespace(namespace)
    return TOKENS.make(
        namespace=namespace,
        label=label,
        may_read="read" in rights,
        may_write="write" in rights,
        expires_at=expires_at,
    )


def check_namespace(namespace: str) -> None:
    """Refuse what cannot be a namespace.

    Raises:
        InvalidError: it is not 1 to 200 ASCII letters, digits and ``_ . : @ / -``.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise InvalidError("namespace", "must be 1 to 200 letters, digits or any of _ . : @ / -")


def find_principal(token: str) -> Principal | None:
    """Who the token stands for; None: it is unknown, expired or revoked. For threads of ours.

    Raises:
        UnavailableError: the database does not answer.
    """
    found = _look_up(lambda: TOKENS.find(token))
    return None if found is None else Principal(found.pk, found.namespace, rights_of(found))


def is_live(token_id: int) -> bool:
    """Whether the token is neither expired nor revoked nor gone. For threads of ours.

    Raises:
        UnavailableError: the database does not answer.
    """
    return _look_up(lambda: TOKENS.is_live(token_id))


def revoke(token_id: int) -> bool:
    """Let the token in no more; False: it was not live. Open sockets are closed within a minute."""
    return TOKENS.revoke(token_id)


def rights_of(token: Token) -> list[Right]:
    """What the token lets do."""
    rights: list[Right] = ["read"] if token.may_read else []
    return [*rights, "write"] if token.may_write else rights


def tokens() -> "QuerySet[Token]":
    """All tokens."""
    return TOKENS.rows()


def _look_up(work: Callable[[], T]) -> T:
    try:
        return work()
    except DatabaseUnavailableError as error:
        logger.warning("a token cannot be looked up: %s", error)
        raise UnavailableError from error
