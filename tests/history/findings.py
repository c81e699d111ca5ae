"""What a checker can find wrong, and how it says so."""

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What a finding breaks."""

    UNIQUE = "unique"
    """No event is stored twice."""
    ORIGIN = "origin"
    """What is stored was pushed, exactly so."""
    ACKED = "acked"
    """An acknowledged batch is stored whole, in one piece, in order."""
    REFUSED = "refused"
    """Of a refused batch nothing is stored."""
    WHOLE = "whole"
    """A batch without an answer is stored whole, in one piece, in order, or not at all."""
    CHAIN = "chain"
    """The parent chain is unbroken and the numbers ascend."""
    REAL_TIME = "real-time"
    """What was acknowledged before another push began is stored before it."""
    CONFLICT = "conflict"
    """A refused pusher is told a head that the store had while it was asking."""
    READ = "read"
    """A read is the log right after its cursor, and as new as what was known when it began."""
    LIVE = "live"
    """A live pull is that too, goes on without a gap, and is complete in the end."""
    BACKEND_ID = "backend-id"
    """The backend id changes with a reset and never else."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that cannot be."""

    rule: Rule
    store: str
    op: int | None
    """The operation it is about; None when it is about the log."""
    text: str

    def __str__(self) -> str:
        where = "final log" if self.op is None else f"op {self.op}"
        return f"[{self.rule}] store {self.store}, {where}: {self.text}"
