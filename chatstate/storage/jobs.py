"""What is handed to a database, and what comes back."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, TypeAlias

import msgspec

from chatstate.protocol.errors import ChatstateError, ConflictError
from chatstate.protocol.messages import FALSE, NULL
from chatstate.protocol.operations import AppendToList, Dequeue, OnKey, Operation
from chatstate.storage.context import digest
from chatstate.storage.steps import Outcome

Result: TypeAlias = Outcome | ChatstateError
"""What becomes of one operation."""

Key: TypeAlias = tuple[str, str]
"""A namespace, and a key or thread id in it."""


class Job(NamedTuple):
    """Operations of one namespace on one shard, to be carried out in their order, all or none.

    Attributes:
        is_new: nobody has used their request ids before, so that no answer can have been kept.
    """

    namespace: str
    shard: str
    operations: Sequence[Operation]
    is_new: bool = False

    @property
    def writes(self) -> bool:
        """Whether anything has to be committed."""
        return any(operation.right == "write" for operation in self.operations)

    @property
    def keys(self) -> set[Key]:
        """What the operations are about."""
        return {(self.namespace, operation.place) for operation in self.operations}

    @property
    def asked_for(self) -> list[str]:
        """The request ids under which answers may have been kept."""
        return [] if self.is_new else [*filter(None, map(kept_under, self.operations))]

    @property
    def is_repeatable(self) -> bool:
        """Whether doing it twice is the same as doing it once."""
        return not any(o.is_once and o.request_id is None for o in self.operations)


class Done(NamedTuple):
    """The results of a job, one for each of its operations."""

    results: Sequence[Result]


class Kept(NamedTuple):
    """What is kept of an operation with a request id."""

    operation_digest: bytes
    answer: str

    def repeat(self, operation_digest: bytes) -> str | ConflictError:
        """The answer for the one who asks again; another operation gets an error."""
        return self.answer if self.operation_digest == operation_digest else ConflictError()


class Budget:
    """How much text the answers of one transaction may take in memory, about.

    Above it what only reads, or takes out of a queue, is refused as ``busy``: a frame of a thousand
    small operations could ask for a gigabyte.
    """

    __slots__ = ("_left_chars",)

    def __init__(self, max_chars: int = 16_000_000) -> None:
        self._left_chars = max_chars

    def refuses(self, operation: Operation) -> bool:
        """Whether there is no room left for the operation's answer."""
        return self._left_chars <= 0 and (operation.right == "read" or type(operation) is Dequeue)

    def spend(self, outcome: Outcome) -> None:
        """Take note of an answer."""
        chars = len(outcome) if isinstance(outcome, str) else sum(map(len, outcome.items))
        self._left_chars -= chars


def kept_under(operation: Operation) -> str | None:
    """The request id under which the operation's answer is kept; None: it is not."""
    return operation.request_id if operation.is_once else None


def is_worth_keeping(operation: Operation, outcome: Outcome) -> bool:
    """Whether the operation changed anything; what did not can as well be carried out again."""
    return type(operation) is AppendToList or outcome not in (NULL, FALSE)


def operation_digest(operation: Operation) -> bytes:
    """What tells operations apart; the ``id`` under which one is asked for again does not."""
    # its place apart: a lone surrogate there is no UTF-8
    name = "key" if isinstance(operation, OnKey) else "thread_id"
    without_place = msgspec.structs.replace(operation, id=0, **{name: ""})
    return sha256(digest(operation.place) + msgspec.json.encode(without_place)).digest()
