"""Which user, group or subject may sync which store, as rows that the admin keeps.

Looked up at each handshake, at each request over HTTP, and again every ``auth_recheck_s`` while a
socket is open.
"""

from collections.abc import Iterator
from typing import NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.db.models import Q

from livesync.auth.grants import Grant
from livesync.auth.threads import look_up
from livesync.models import StorePermission

USER, GROUP, SUBJECT = StorePermission.HolderKind


class Holder(NamedTuple):
    """Whom a permission is about: a user or group by primary key, or the ``sub`` of a JWT."""

    kind: str
    key: str


async def find_permission(grant: Grant, store_id: str) -> StorePermission | None:
    """The best permission that who was let in has on a store; None: there is none.

    Raises:
        AuthUnavailableError: a database does not answer.
    """
    holders = await _holders(grant)
    if not holders:
        return None
    return await look_up(StorePermission, lambda: _find(holders, store_id))


async def _holders(grant: Grant) -> list[Holder]:
    holders: list[Holder] = []
    if grant.subject is not None:
        holders.append(Holder(SUBJECT, grant.subject))
    if grant.user is not None:
        user = grant.user
        holders.append(Holder(USER, str(user.pk)))
        holders += await look_up(get_user_model(), lambda: list(_groups(user)))
    return holders


def _groups(user: AbstractBaseUser) -> Iterator[Holder]:
    if isinstance(user, PermissionsMixin):
        for key in user.groups.values_list("pk", flat=True):
            yield Holder(GROUP, str(key))


def _find(holders: list[Holder], store_id: str) -> StorePermission | None:
    theirs = Q()
    for holder in holders:
        theirs |= Q(holder_kind=holder.kind, holder_key=holder.key)
    # prefixes are compared here: a database compares letters its own way
    rows = StorePermission.objects.filter(theirs, Q(is_prefix=True) | Q(store=store_id))
    fitting = [row for row in rows if row.covers(store_id)]
    return max(fitting, key=lambda row: row.may_push, default=None)
