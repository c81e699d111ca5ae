"""Faults of a commit that only the storage engines and their tests meet."""

from livesync.storage.plan import Plan

# after these SQLite has not written the end of the transaction; after any other, such as a failing
# fsync, its log may hold all of it, and the next one to recover the log will find it there
_NOTHING_WRITTEN = ("SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED")


class CommitBrokenError(Exception):
    """COMMIT was asked for and failed: the plan is stored whole, or not at all.

    Args:
        sqlite_errorname: what SQLite calls its reason; None where the connection broke.
    """

    def __init__(self, plan: Plan, *, sqlite_errorname: str | None = None) -> None:
        self.plan = plan
        self.sqlite_errorname = sqlite_errorname
        super().__init__(f"COMMIT failed ({sqlite_errorname or 'the connection broke'})")

    @property
    def leaves_doubt(self) -> bool:
        """Whether looking does not tell: what is found may not last, what is missing may come up.

        Only another COMMIT of the same appends, one that succeeds, ends the doubt: it takes the
        place of the first one in the log.
        """
        name = self.sqlite_errorname
        return name is not None and not name.startswith(_NOTHING_WRITTEN)
