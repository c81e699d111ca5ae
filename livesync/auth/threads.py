"""The threads of this process that look up who may sync."""

import logging
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import Model

from groundwork.connections import ConnectionThreads, DatabaseUnavailableError, with_connection
from groundwork.fault_log import FaultLog
from livesync.protocol.errors import AuthUnavailableError

T = TypeVar("T")

_faults = FaultLog(logging.getLogger(__name__), "who may sync cannot be looked up")


@cache
def get_threads() -> ConnectionThreads:
    """Threads of their own: a slow database of users keeps no reader of events waiting."""
    return ConnectionThreads("livesync-auth", 4)


async def look_up(model: type[Model], work: Callable[[], T]) -> T:
    """What ``work`` finds in the database of ``model``; it is called in a thread of ours.

    Raises:
        AuthUnavailableError: the database does not answer.
    """
    return await get_threads().run(_look_up, router.db_for_read(model) or DEFAULT_DB_ALIAS, work)


def _look_up(alias: str, work: Callable[[], T]) -> T:
    try:
        return with_connection(alias, lambda _: work())
    except DatabaseUnavailableError as error:
        _faults.add(error)
        raise AuthUnavailableError from error
