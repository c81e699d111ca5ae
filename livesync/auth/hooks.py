"""Hooks that let in whom one of the chosen kinds of credential knows."""

from dataclasses import dataclass, fields
from typing import Any

from livesync.auth.grants import Grant
from livesync.auth.kinds import Kind, load_kind
from livesync.auth.permissions import find_permission
from livesync.conf import get_settings
from livesync.hooks import Context, Hooks
from livesync.protocol.errors import AuthError, AuthUnavailableError

REFUSED = "Invalid auth token"
"""All that who is refused hears: no store, no user and no token can be found out by asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContext(Context):
    """A context of which is known who was let in."""

    kind: Kind
    """By which kind of credential."""

    grant: Grant
    """What that said."""

    can_push: bool
    """Whether they may push as well as pull."""


class AuthHooks(Hooks):
    """Lets in whom a kind of ``LIVESYNC["auth"]`` knows, each asked in turn.

    With ``LIVESYNC["store_permissions"]`` a row of store permissions must allow the store as well.
    A subclass may name its ``kinds`` instead of the setting, and override any other hook.
    """

    kinds: tuple[str, ...] = ()
    """Names or dotted paths; empty: those of the setting."""

    @property
    def uses_session(self) -> bool:  # type: ignore[override] # it depends on the settings
        return any(kind.uses_session for kind in self.loaded_kinds())

    @property
    def needs_session(self) -> bool:  # type: ignore[override] # ditto
        return all(kind.uses_session for kind in self.loaded_kinds())

    def loaded_kinds(self) -> list[Kind]:
        """The kinds of credential that count.

        Raises:
            ImportError, TypeError: one of them cannot be loaded.
        """
        return [load_kind(name) for name in self.kinds or get_settings().auth]

    async def validate_payload(self, payload: Any, context: Context) -> KnownContext:
        """Wants a credential that opens this store."""
        kind, grant = await self._authenticate(payload, context)
        return await self._know(kind, grant, context)

    async def revalidate(self, context: Context) -> Context | None:
        """Wants that it still does."""
        if not isinstance(context, KnownContext):
            return None  # a subclass lets in whom it knows by itself
        if not await context.kind.holds(context.grant):
            raise AuthError(REFUSED)
        return await self._know(context.kind, context.grant, context)

    async def may_push(self, context: Context) -> bool:
        """Wants the right to write; looks nothing up."""
        return not isinstance(context, KnownContext) or context.can_push

    async def _authenticate(self, payload: Any, context: Context) -> tuple[Kind, Grant]:
        unavailable: AuthUnavailableError | None = None
        for kind in self.loaded_kinds():
            try:
                grant = await kind.authenticate(payload, context)
            except AuthUnavailableError as error:
                unavailable = error  # another kind may know the caller
                continue
            if grant is not None:
                return kind, grant
        raise unavailable or AuthError(REFUSED)

    async def _know(self, kind: Kind, grant: Grant, context: Context) -> KnownContext:
        can_push = await _can_push(grant, context.store_id)
        known = {each.name: getattr(context, each.name) for each in fields(Context)}
        known |= {"user": grant.user, "expires_at": grant.expires_at}
        return KnownContext(**known, kind=kind, grant=grant, can_push=can_push)


async def _can_push(grant: Grant, store_id: str) -> bool:
    """Whether who may pull may push as well; raises an AuthError if they may not even pull."""
    if not grant.scope.covers(store_id):
        raise AuthError(REFUSED)
    if grant.has_own_permission or not get_settings().store_permissions:
        return grant.scope.may_push
    permission = await find_permission(grant, store_id)
    if permission is None:
        raise AuthError(REFUSED)
    return grant.scope.may_push and permission.may_push
