"""Faults of a commit that only the storage engines and their tests meet."""

from livesync.storage.plan import Plan


class CommitBrokenError(Exception):
    """The connection broke after COMMIT was sent: the plan is stored whole, or not at all."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        super().__init__("the connection broke on COMMIT")
