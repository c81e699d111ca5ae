"""What a caller may do who was let in, and until when."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which stores a credential opens, whatever the permissions say besides."""

    stores: frozenset[str] = frozenset()
    """Their ids."""

    prefixes: tuple[str, ...] = ()
    """What the ids of others begin with."""

    is_everything: bool = False
    """Whether it opens every store."""

    may_push: bool = True
    """Whether it opens them to push as well as to pull."""

    def covers(self, store_id: str) -> bool:
        """Whether the store is one of them; ids are compared exactly."""
        return self.is_everything or store_id in self.stores or store_id.startswith(self.prefixes)


EVERYTHING = Scope(is_everything=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Who was let in, and by what. The credential itself is not shown."""

    user: AbstractBaseUser | None = None
    """The Django user, if it is one."""

    subject: str | None = None
    """``sub`` of a JWT."""

    scope: Scope = EVERYTHING
    """What the credential itself opens."""

    has_own_permission: bool = False
    """Whether the scope is all there is to ask: store permissions are about somebody else."""

    expires_at: datetime | None = None
    """When it ends; None: not by itself."""

    reference: Any = field(default=None, repr=False)
    """What its kind needs to ask again whether it still holds."""
