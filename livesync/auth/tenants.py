"""Stores of the same name, one for each tenant.

An app may then name its store ``notes`` for everybody, and each tenant has notes of their own.
"""

from livesync.auth.hooks import REFUSED, AuthHooks, KnownContext
from livesync.hooks import Context
from livesync.protocol.errors import AuthError

SEPARATOR = "/"


class TenantHooks(AuthHooks):
    """Keeps the store that a client calls ``notes`` as ``<tenant>/notes``.

    Scopes of credentials and store permissions are about ids as clients name them. Who is let in by
    something that names nobody (a shared secret, a store token) has no tenant and is refused.
    """

    def tenant(self, context: KnownContext) -> str:
        """Whose stores they are; a site overrides this to have teams instead of single users.

        No tenant's name may hold a ``/``: it ends there, whatever the ids of stores hold.
        """
        if context.user is not None:
            return f"user-{context.user.pk}"
        if context.grant.subject is not None:
            return f"subject-{context.grant.subject}"
        return ""

    async def stored_store_id(self, store_id: str, context: Context) -> str:
        """``<tenant>/<store id>``; refuses whoever has no tenant, or one of another form."""
        tenant = self.tenant(context) if isinstance(context, KnownContext) else ""
        if not tenant or SEPARATOR in tenant:
            raise AuthError(REFUSED)
        return f"{tenant}{SEPARATOR}{store_id}"
