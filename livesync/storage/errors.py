"""Faults of a commit that only the storage engines and their tests meet."""

from livesync.protocol.errors import LivesyncError
from livesync.storage.plan import Plan


class CommitBrokenError(Exception):
    """The connection broke after COMMIT was sent: the plan is stored whole, or not at all."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        super().__init__("the connection broke on COMMIT")


class CommitUnknownError(LivesyncError):
    """The same, and the database could not be asked which in time. Nobody is told either way."""
