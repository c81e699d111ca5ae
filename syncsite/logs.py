"""Plain logs on standard error, without query strings.

The ``payload`` of a sync URL may hold a client's secret. Servers log whole URLs, each in its own
place: uvicorn in two loggers, daphne's ``runserver`` in one, the ``daphne`` command on standard
output without a logger. Here they all lose what follows the question mark.
"""

import logging
import re
import sys
from typing import Any

_QUERY = re.compile(r"\?\S*")
_LOGS_URLS = ("uvicorn.access", "uvicorn.error", "django.channels.server")


def without_query(value: object) -> object:
    """``value`` without what follows a question mark, up to the next blank, if it is text."""
    return _QUERY.sub("", value) if isinstance(value, str) else value


class WithoutQueries(logging.Filter):
    """Takes query strings out of a record's arguments; lets every record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(without_query(value) for value in record.args)
        elif isinstance(record.args, dict):
            record.args = {key: without_query(value) for key, value in record.args.items()}
        return True


class WithoutFalseAlarms(logging.Filter):
    """Takes the alarm out of what uvicorn (0.54, ``WebSocketsSansIOProtocol``) logs for nothing.

    A handshake that was refused with an HTTP answer it takes for one without any: that error is
    dropped. A text frame that is not UTF-8, which any peer may send, it logs with a stack trace:
    one line stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == "Invalid UTF-8 sequence received from client.":
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = None
        return record.msg != "ASGI callable returned without completing handshake."


def log_config(*, access_log: bool = True) -> dict[str, Any]:
    """Django's LOGGING; ``access_log`` is whether uvicorn writes a line per request.

    It has to be said here: Django applies this once more when it loads the application, after
    uvicorn has silenced its logger.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "without_queries": {"()": WithoutQueries},
            "without_false_alarms": {"()": WithoutFalseAlarms},
        },
        "formatters": {
            "plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        },
        "handlers": {
            "stderr": {"class": "syncsite.background_log.BackgroundLog", "formatter": "plain"}
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # Django and uvicorn give these handlers of their own, which would print a record twice
            "django": {"handlers": [], "level": "INFO"},
            "uvicorn": {"handlers": [], "propagate": True},
            **{
                # the filter is the logger's, not the handler's: no handler added later escapes it
                name: {
                    "handlers": [],
                    "filters": ["without_queries", "without_false_alarms"],
                    "propagate": access_log or name != "uvicorn.access",
                }
                for name in _LOGS_URLS
            },
        },
    }


def keep_queries_from_daphne() -> None:
    """Make the access log of the ``daphne`` command leave out query strings.

    It writes to standard output itself, by default, so there is no logger to put a filter on.
    """
    access = sys.modules.get("daphne.access")
    if access is None or getattr(access.AccessLogGenerator, "without_queries", False):
        return
    write_entry = access.AccessLogGenerator.write_entry

    def write_without_query(log: Any, host: str, date: object, request: str, **rest: Any) -> None:
        write_entry(log, host, date, without_query(request), **rest)

    access.AccessLogGenerator.write_entry = write_without_query
    access.AccessLogGenerator.without_queries = True
