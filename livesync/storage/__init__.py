"""Where eventlogs are kept."""

from functools import cache

from groundwork.connections import ConnectionThreads
from livesync.conf import get_settings
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Engine


@cache
def get_engine() -> Engine:
    """The engine of this site."""
    return DatabaseEngine()


@cache
def get_readers() -> ConnectionThreads:
    """The threads of this process that read."""
    return ConnectionThreads("livesync-reader", get_settings().readers)
