"""Faults that only the storage and its tests meet."""

from groundwork.sqlite_commits import may_be_stored


class CommitBrokenError(Exception):
    """COMMIT was asked for and failed: all of it is stored, or nothing.

    Doing the jobs again settles it: what was stored is answered from the kept answers, and what
    needs no request id comes to the same a second time. What needs one and has none is not done
    again.

    Args:
        sqlite_errorname: what SQLite calls its reason; None where the connection broke.
    """

    def __init__(self, *, sqlite_errorname: str | None = None) -> None:
        self.sqlite_errorname = sqlite_errorname
        super().__init__(f"COMMIT failed ({sqlite_errorname or 'the connection broke'})")

    @property
    def leaves_doubt(self) -> bool:
        """Whether the jobs may be stored."""
        name = self.sqlite_errorname
        return name is None or may_be_stored(name)


class RequestIdTakenError(Exception):
    """Another process has kept an answer under the same request id, for another key, meanwhile.

    Nothing was stored. Doing the jobs again finds that answer.
    """
