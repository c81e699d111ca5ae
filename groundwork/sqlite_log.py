"""Give SQLite's write-ahead log its full size before the first commit.

A commit that makes the log longer has to write the file's new length as well, and takes the disk
about twice as long as one that overwrites what is there. SQLite starts the log over at some 1,000
pages and never shortens it, but by itself it gets there commit by commit.
"""

import logging
import os
import sqlite3
from pathlib import Path
from typing import cast
from weakref import WeakKeyDictionary

from django.db.backends.base.base import BaseDatabaseWrapper

from groundwork.durable_files import sync_file

logger = logging.getLogger(__name__)

LOG_BYTES = 4_500_000
"""A little above 1,000 pages, where SQLite starts over."""
_FILLER_BYTES = LOG_BYTES + 100_000  # the last pages stay in the cache

_grown: WeakKeyDictionary[BaseDatabaseWrapper, object] = WeakKeyDictionary()


def grow_log(connection: BaseDatabaseWrapper) -> None:
    """Lengthen the connection's log, unless that was done; stores nothing.

    To be called from the connection's thread, outside of a transaction, before it writes. What
    fails is left to the first commit, which will say so: without its full size the log only takes
    longer.
    """
    driver = cast(sqlite3.Connection, connection.connection)
    if _grown.get(connection) is driver:
        return
    _grown[connection] = driver
    try:
        _grow(driver)
    except (sqlite3.Error, OSError) as error:
        logger.debug("a log could not be lengthened", exc_info=error)
        if driver.in_transaction:
            driver.execute("ROLLBACK")


def _grow(driver: sqlite3.Connection) -> None:
    _, _, path = driver.execute("PRAGMA database_list").fetchone()
    log = f"{path}-wal"
    driver.execute("SELECT 1 FROM sqlite_master").fetchone()  # the log is opened by the first read
    if not path or not os.path.exists(log) or os.path.getsize(log) >= LOG_BYTES:
        return
    (cache_size,) = driver.execute("PRAGMA cache_size").fetchone()
    driver.execute("PRAGMA cache_size = 10")  # what has no room there goes to the log at once
    try:
        driver.execute("BEGIN IMMEDIATE")
        driver.execute("CREATE TABLE groundwork_filler (filler BLOB)")
        driver.execute("INSERT INTO groundwork_filler VALUES (zeroblob(?))", (_FILLER_BYTES,))
    finally:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        driver.execute(f"PRAGMA cache_size = {cache_size}")
    sync_file(Path(log))
