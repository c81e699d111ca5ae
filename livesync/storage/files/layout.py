"""Where the file of a store is, and what its tables are called."""

import hashlib
import re
from functools import lru_cache
from pathlib import Path

CONTEXT_TABLE = "context_7"

_OTHER_THAN_NAME = re.compile("[^a-zA-Z0-9]")


class Layout:
    """The directory of all files.

    A store id may be anything, for as long as 512 bytes, and file systems do not tell all of them
    apart; its digest they do. Two characters of it choose one of 256 directories.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def file(self, store_id: str) -> Path:
        """The file of a store, which says inside whose it is."""
        return _file(self.directory, store_id)

    def lock(self, store_id: str) -> Path:
        """What is locked by whoever moves the store."""
        return self.directory / "moving" / _digest(store_id)

    def ended(self, store_id: str) -> Path:
        """Holds the id of the store; is there while the file has events of before a reset."""
        return self.ended_directory / _digest(store_id)

    @property
    def ended_directory(self) -> Path:
        return self.directory / "ended"


def eventlog_table(store_id: str) -> str:
    """The table of a store's events.

    Source: LiveStore sync-cf 0.4.0, ``cf-worker/shared.ts``, ``toValidTableName``. JavaScript
    counts a character above U+FFFF as two, each of which becomes an underscore.
    """
    name = _OTHER_THAN_NAME.sub(lambda found: "_" * (1 + (found[0] > "\uffff")), store_id)
    return f"eventlog_7_{name}"


def ended_table(generation: int) -> str:
    """The table of the events of a history that a reset has ended."""
    return f"livesync_ended_{generation}"


@lru_cache(maxsize=4_096)
def _file(directory: Path, store_id: str) -> Path:
    digest = _digest(store_id)
    return directory / digest[:2] / f"{digest}.sqlite3"


def _digest(store_id: str) -> str:
    return hashlib.sha256(store_id.encode()).hexdigest()
