"""Who may come in: tokens, each bound to one namespace and a set of rights.

Only a digest of a token is stored, so that nobody who reads the database can use one.
"""

import logging
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, NamedTuple, TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q, QuerySet
from django.utils import timezone

from chatstate.models import Token
from chatstate.protocol.errors import InvalidError, UnavailableError
from chatstate.protocol.operations import Right
from chatstate.sharding import default_alias
from groundwork.connections import DatabaseUnavailableError, with_connection
from groundwork.sqlite_files import check_file

T = TypeVar("T")

logger = logging.getLogger(__name__)

PREFIX = "chat_"

MAX_DAYS = 36_500
"""Longest that a token which ends may last: a hundred years, as dates themselves have an end."""

_SECRET_BYTES = 32
_NAMESPACE = re.compile(r"[\w.:@/-]{1,200}", re.ASCII)
_USED_EVERY = timedelta(minutes=5)


State = Literal["live", "revoked", "expired"]


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
    token = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    tokens().create(
        digest=_digest(token),
        namespace=namespace,
        label=label,
        may_read="read" in rights,
        may_write="write" in rights,
        expires_at=expires_at,
    )
    return token


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
    digest = _digest(token)
    # found by the digest's index, whose timing tells nothing of the token
    found = _look_up(lambda: _live().filter(digest=digest).first())
    if found is None:
        return None
    _note_use(found)
    return Principal(found.pk, found.namespace, rights_of(found))


def is_live(token_id: int) -> bool:
    """Whether the token is neither expired nor revoked nor gone. For threads of ours.

    Raises:
        UnavailableError: the database does not answer.
    """
    return _look_up(lambda: _live().filter(pk=token_id).exists())


def revoke(token_id: int) -> bool:
    """Let the token in no more; False: it was not live. Open sockets are closed within a minute."""
    return bool(_live().filter(pk=token_id).update(revoked_at=timezone.now()))


def state_of(token: Token) -> State:
    """Whether the token opens anything, and why not."""
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= timezone.now():
        return "expired"
    return "live"


def rights_of(token: Token) -> list[Right]:
    """What the token lets do."""
    rights: list[Right] = ["read"] if token.may_read else []
    return [*rights, "write"] if token.may_write else rights


def tokens() -> "QuerySet[Token]":
    """All tokens; they are kept in the database of the default shard."""
    return Token.objects.using(default_alias())


def _live() -> "QuerySet[Token]":
    now = timezone.now()
    return tokens().filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


def _look_up(work: Callable[[], T]) -> T:
    def checked(connection: BaseDatabaseWrapper) -> T:
        found = work()
        check_file(connection)
        return found

    try:
        return with_connection(default_alias(), checked)
    except DatabaseUnavailableError as error:
        logger.warning("a token cannot be looked up: %s", error)
        raise UnavailableError from error


_noted_at: dict[bytes, datetime] = {}
"""When this process has last noted, or tried to note, the use of each token, by its digest."""


def _note_use(token: Token) -> None:
    now = timezone.now()
    digest = bytes(token.digest)
    last = max(filter(None, (token.last_used_at, _noted_at.get(digest))), default=None)
    if last is not None and now - last <= _USED_EVERY:
        return
    # also if it fails: nobody is to wait each time for a database that takes no writes at present
    _noted_at[digest] = now
    try:
        with_connection(
            default_alias(), lambda _: tokens().filter(pk=token.pk).update(last_used_at=now)
        )
    except DatabaseUnavailableError as error:
        logger.warning("the use of a token cannot be noted: %s", error)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
