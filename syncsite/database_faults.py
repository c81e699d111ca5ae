"""The site's pages while a database does not answer: 503, not a fault of the server."""

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from chatstate.protocol.errors import UnavailableError
from groundwork.connections import DatabaseUnavailableError
from groundwork.fault_log import FaultLog
from livesync.protocol.errors import StorageUnavailableError

_FAULTS = (
    *(InterfaceError, OperationalError, DatabaseUnavailableError),
    *(StorageUnavailableError, UnavailableError),
)
_log = FaultLog(logging.getLogger(__name__), "a page found a database unavailable")


class DatabaseFaultMiddleware(MiddlewareMixin):
    """Tells the reader of a page to try again; the log says what the database said."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, _FAULTS):
            return None
        _log.add(exception)
        return HttpResponse(
            "A database of this server does not answer. Please try again in a moment.\n",
            status=503,
            content_type="text/plain; charset=utf-8",
            headers={"Retry-After": "5", "Cache-Control": "no-store"},
        )
