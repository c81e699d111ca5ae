"""The files of stores as tests look at them, beside the engine that keeps them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from livesync.models import Place
from livesync.storage.database import DatabaseEngine
from livesync.storage.files.engine import FilesEngine
from livesync.storage.routed import RoutedEngine
from tests.storage import STORE


def file_of(engine: RoutedEngine, store_id: str = STORE) -> Path:
    """Where the file of a store is."""
    return engine.files.layout.file(store_id)


def on_file(engine: RoutedEngine, statement: str, store_id: str = STORE) -> list[Any]:
    """What a statement gives on a connection of its own to the file."""
    with closing(sqlite3.connect(file_of(engine, store_id))) as other:
        return other.execute(statement).fetchall()


def another(engine: RoutedEngine, *, max_open: int = 16) -> RoutedEngine:
    """The engine of another process on the same machine."""
    files = FilesEngine(engine.files.layout.directory, max_open=max_open)
    return RoutedEngine(DatabaseEngine(), files, lambda _: Place.FILES)
