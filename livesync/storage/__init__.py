"""Where eventlogs are kept."""

from functools import cache
from pathlib import Path

from groundwork.connections import ConnectionThreads
from livesync.conf import get_settings
from livesync.storage.choosing import chooser
from livesync.storage.database import DatabaseEngine
from livesync.storage.engine import Engine
from livesync.storage.files.engine import FilesEngine
from livesync.storage.routed import RoutedEngine


@cache
def get_engine() -> Engine:
    """The engine of this site."""
    settings = get_settings()
    database = DatabaseEngine()
    if not settings.files_directory:
        return database
    files = FilesEngine(Path(settings.files_directory), max_open=settings.files_max_open)
    return RoutedEngine(database, files, chooser())


@cache
def get_readers() -> ConnectionThreads:
    """The threads of this process that read."""
    return ConnectionThreads("livesync-reader", get_settings().readers)
