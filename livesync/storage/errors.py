"""Faults of a commit that only the storage engines and their tests meet."""

from groundwork.sqlite_commits import may_be_stored
from livesync.storage.plan import Plan


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
        return name is not None and may_be_stored(name)
