"""Bearer tokens: shown once, kept as digests, with an end or without, revocable.

Only a digest is stored, so that nobody who reads the database can use a token.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Generic, Literal, TypeVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q, QuerySet
from django.utils import timezone

from groundwork.connections import DatabaseUnavailableError, with_connection
from groundwork.sqlite_files import check_file

T = TypeVar("T")

logger = logging.getLogger(__name__)

MAX_DAYS = 36_500
"""Longest that a token which ends may last: a hundred years, as dates themselves have an end."""

MAX_ID = 2**63 - 1
"""What a database can compare with a row's id."""

_SECRET_BYTES = 32
_USED_EVERY = timedelta(minutes=5)
_NOTED_MAX = 10_000

State = Literal["live", "revoked", "expired"]


class BearerToken(models.Model):
    """What is kept of a token, whatever it opens."""

    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    label = models.CharField(max_length=200, blank=True, help_text="For people: who uses it.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def state(self) -> State:
        """Whether the token opens anything, and why not."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return "expired"
        return "live"


M = TypeVar("M", bound=BearerToken)


class TokenTable(Generic[M]):
    """The tokens of one app.

    Args:
        model: their rows.
        prefix: every token begins with it, so that people and scanners know what they found.
        alias: which database keeps them.
    """

    def __init__(self, model: type[M], *, prefix: str, alias: Callable[[], str]) -> None:
        self._model = model
        self._prefix = prefix
        self._alias = alias
        self._noted_at: dict[bytes, datetime] = {}

    def rows(self) -> "QuerySet[M]":
        """All of them."""
        return self._model._default_manager.using(self._alias())

    def make(self, *, label: str, expires_at: datetime | None, **opens: Any) -> str:
        """Make a token; ``opens`` are the fields of the app's own.

        Returns:
            The token, which is kept nowhere and cannot be shown again.
        """
        token = self._prefix + secrets.token_urlsafe(_SECRET_BYTES)
        self.rows().create(digest=_digest(token), label=label, expires_at=expires_at, **opens)
        return token

    def find(self, token: str) -> M | None:
        """The row of a live token; None: unknown, expired or revoked. For threads of ours.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        digest = _digest(token)
        # found by the digest's index, whose timing tells nothing of the token
        found = self._look_up(lambda: self._live().filter(digest=digest).first())
        if found is not None:
            self._note_use(found)
        return found

    def is_live(self, token_id: int) -> bool:
        """Whether a token is neither expired nor revoked nor gone. For threads of ours.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        return self._look_up(lambda: self._live().filter(pk=token_id).exists())

    def revoke(self, token_id: int) -> bool:
        """Let a token in no more; False: it was not live. Sockets notice within a minute."""
        return bool(self._live().filter(pk=token_id).update(revoked_at=timezone.now()))

    def _live(self) -> "QuerySet[M]":
        now = timezone.now()
        return self.rows().filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)

    def _look_up(self, work: Callable[[], T]) -> T:
        def checked(connection: BaseDatabaseWrapper) -> T:
            found = work()
            check_file(connection)
            return found

        return with_connection(self._alias(), checked)

    def _note_use(self, token: M) -> None:
        now = timezone.now()
        digest = bytes(token.digest)
        last = max(filter(None, (token.last_used_at, self._noted_at.get(digest))), default=None)
        if last is not None and now - last <= _USED_EVERY:
            return
        if len(self._noted_at) >= _NOTED_MAX:
            self._noted_at.clear()
        # also if it fails: nobody is to wait each time for a database that takes no writes now
        self._noted_at[digest] = now
        try:
            with_connection(
                self._alias(), lambda _: self.rows().filter(pk=token.pk).update(last_used_at=now)
            )
        except DatabaseUnavailableError as error:
            logger.warning("the use of a token cannot be noted: %s", error)


def ends_after(days: int | None) -> datetime | None:
    """When a token ends that lasts so many days from now; None: never.

    Raises:
        ValueError: it is not 1 to ``MAX_DAYS``.
    """
    if days is None:
        return None
    if not 1 <= days <= MAX_DAYS:
        raise ValueError(f"must be 1 to {MAX_DAYS:,}")
    return timezone.now() + timedelta(days=days)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
