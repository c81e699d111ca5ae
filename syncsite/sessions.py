"""Session cookies that could not be ours, dropped before they reach a database."""

from django.conf import settings
from django.contrib.sessions import middleware
from django.http import HttpRequest


class SessionMiddleware(middleware.SessionMiddleware):
    """Django's, for keys of ASCII letters and digits only, as Django makes them.

    PostgreSQL takes no NUL in a text; the request would end as a fault of the server.
    """

    def process_request(self, request: HttpRequest) -> None:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        if not (key.isascii() and key.isalnum()):
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        super().process_request(request)
