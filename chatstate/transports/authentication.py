"""Who asks over HTTP: a bearer token, the one that a socket's first frame holds."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from chatstate.protocol.errors import UnauthorizedError
from chatstate.services.threads import get_readers
from chatstate.services.tokens import Principal, find_principal

SCHEME = "Bearer"


class BearerAuthentication(BaseAuthentication):
    """Finds the token in the request, as ``request.auth``.

    Whom it stands for is asked in a thread: ``principal_of`` waits for it, which DRF cannot.
    """

    def authenticate(self, request: Request) -> tuple[None, str] | None:
        """No user, and the token; None without one."""
        scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != SCHEME.lower() or not token:
            return None
        return None, token.strip()

    def authenticate_header(self, request: Request) -> str:
        """The ``WWW-Authenticate`` of a 401."""
        return SCHEME


async def principal_of(request: Request) -> Principal:
    """Who the request's token stands for.

    Raises:
        UnauthorizedError: there is no token, or it is unknown, expired or revoked.
        UnavailableError: the database does not answer.
    """
    if request.auth is None:
        raise UnauthorizedError
    principal = await get_readers().run(find_principal, request.auth)
    if principal is None:
        raise UnauthorizedError
    return principal
