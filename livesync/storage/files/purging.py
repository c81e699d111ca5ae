"""Which files have events of before a reset; those events are deleted piece by piece.

A marker beside the files names each such store, so that nobody has to open all of them.
"""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from groundwork.durable_files import make_directory
from livesync.protocol.errors import LivesyncError
from livesync.storage.faults import note
from livesync.storage.files import resets
from livesync.storage.files.store_files import StoreFileMissingError, StoreFiles, telling_faults


def mark(files: StoreFiles, store_id: str) -> None:
    """Note that the file of a store has ended events, or is about to."""
    make_directory(files.layout.ended_directory)
    files.layout.ended(store_id).write_text(store_id, encoding="utf-8", newline="")


def has_ended_events(files: StoreFiles) -> bool:
    """As ``Engine.has_ended_events``."""
    with telling_faults():
        return next(_markers(files), None) is not None


def purge(files: StoreFiles, max_events: int) -> int:
    """As ``Engine.purge``."""
    for marker in _markers(files):
        try:
            if deleted := _purge(files, marker, max_events):
                return deleted
        except (sqlite3.DatabaseError, OSError, LivesyncError) as error:
            note(error)  # one broken file does not keep the others from being cleaned up
    return 0


def _markers(files: StoreFiles) -> Iterator[Path]:
    try:
        with os.scandir(files.layout.ended_directory) as found:
            for entry in found:
                yield Path(entry.path)
    except FileNotFoundError:
        return


def _purge(files: StoreFiles, marker: Path, max_events: int) -> int:
    with marker.open(encoding="utf-8", newline="") as opened:
        store_id = opened.read()
    try:
        with files.lend(store_id) as file, file.transaction():
            if deleted := resets.purge(file, max_events):
                return deleted
            # within the transaction: a reset that follows sets it again
            marker.unlink(missing_ok=True)
    except StoreFileMissingError:
        marker.unlink(missing_ok=True)
    return 0
