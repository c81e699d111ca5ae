"""Plain logs on standard error, without query strings.

The ``payload`` of a sync URL may hold a client's secret. Servers log whole URLs, each in its own
place: uvicorn in two loggers, daphne's ``runserver`` in one, the ``daphne`` command on standard
output without a logger. Here they all lose what follows the question mark.
"""

import logging
import math
import re
import sys
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any

_QUERY = re.compile(r"\?\S*")
_CAUSED_BY_PEERS = (
    *("chatstate.transports.consumers", "groundwork.frames", "groundwork.writer"),
    *("livesync.services.hints", "livesync.services.pull"),
    *("livesync.transports.access", "livesync.transports.consumers", "livesync.transports.views"),
    *("syncsite.health", "uvicorn.error"),
)
_MINUTE_S = 60.0
_KINDS_MAX = 1_000
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


class OneAMinute(logging.Filter):
    """Lets one warning or error of a kind through in a minute; the next says how many were not.

    A kind is what the code says, without what is filled in: a peer that causes the same line again
    and again, with ever new names, causes one. Only the loggers named here are concerned; what must
    not be missed, such as a reset, is said by others.

    Args:
        loggers: whose lines peers can cause.
        now: a clock in seconds, for tests.
    """

    def __init__(
        self, loggers: Sequence[str], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._loggers = frozenset(loggers)
        self._now = now
        self._kinds: dict[Hashable, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or record.name not in self._loggers:
            return True
        passed_over = self._count((record.name, record.msg, (record.exc_info or (None,))[0]))
        if passed_over:
            record.msg = f"{record.getMessage()} ({passed_over} more before)"
            record.args = ()
        return passed_over is not None

    def _count(self, kind: Hashable) -> int | None:
        """How many of a kind were passed over before this one; None if this one is as well."""
        now = self._now()
        with self._lock:
            since, passed_over = self._kinds.get(kind, (-math.inf, 0))
            if now - since < _MINUTE_S:
                self._kinds[kind] = since, passed_over + 1
                return None
            if len(self._kinds) >= _KINDS_MAX:
                self._kinds.clear()  # somebody fills in what should be an argument
            self._kinds[kind] = now, 0
            return passed_over


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
            "one_a_minute": {"()": OneAMinute, "loggers": _CAUSED_BY_PEERS},
        },
        "formatters": {
            "plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        },
        "handlers": {
            "stderr": {
                "class": "syncsite.background_log.BackgroundLog",
                "formatter": "plain",
                "filters": ["one_a_minute"],
            }
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
