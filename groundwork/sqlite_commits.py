"""What a COMMIT that SQLite says has failed may have left behind."""

# after these SQLite has not written the end of the transaction; after any other, such as a failing
# fsync, its log may hold all of it, and the next one to recover the log will find it there
_NOTHING_WRITTEN = ("SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED")


def may_be_stored(errorname: str) -> bool:
    """Whether a transaction may come up again; ``errorname`` is the driver's for its failure."""
    return not errorname.startswith(_NOTHING_WRITTEN)
