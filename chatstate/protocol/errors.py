"""Every error a client can be told about.

ChatstateError
├── MalformedError            not JSON, or not of the protocol's shape
├── InvalidError              a member is missing, of a wrong type or out of bounds
├── UnknownOperationError     there is no such operation
├── UnknownShardError         there is no shard of that name
├── UnauthorizedError         nobody knows who asks
├── ForbiddenError            who asks may not
├── ConflictError             the request id was used for another operation
├── TooLargeError             above a limit of size
├── PassingError              nothing is wrong with the operation; it may succeed later
│   ├── BusyError             more waits to be stored than may wait
│   ├── FrozenError           the shard is being moved
│   └── UnavailableError      the database does not answer; it may have been done, or not
│       └── KeyHeldError      somebody else holds what the operation is about
└── InternalError             a fault of ours
"""

from typing import ClassVar


class ChatstateError(Exception):
    """Base of all errors of chatstate.

    ``code`` names the case on the wire; ``field`` the member at fault, as it is spelt there.
    """

    code: ClassVar[str] = "internal"
    field: str | None = None


class MalformedError(ChatstateError):
    """The text is not JSON, or not of the protocol's shape."""

    code = "malformed"


class InvalidError(ChatstateError):
    """A member of an operation is missing, of a wrong type or out of bounds."""

    code = "invalid"

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field} {problem}")


class UnknownOperationError(ChatstateError):
    """There is no operation of this name."""

    code = "unknown_operation"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no operation {name[:64]!r}")


class UnknownShardError(ChatstateError):
    """The operation names, or a hook of the site gives, a shard that the settings do not have."""

    code = "unknown_shard"
    field = "shard"

    def __init__(self, shard: str) -> None:
        self.shard = shard
        super().__init__(f"there is no shard {shard[:64]!r}")


class UnauthorizedError(ChatstateError):
    """No token, or one that is unknown, expired or revoked; which of them is not told."""

    code = "unauthorized"

    def __init__(self) -> None:
        super().__init__("the token is missing, unknown, expired or revoked")


class ForbiddenError(ChatstateError):
    """The token has no right to this operation."""

    code = "forbidden"

    def __init__(self, right: str) -> None:
        self.right = right
        super().__init__(f"the token has no right to {right}")


class ConflictError(ChatstateError):
    """The request id belongs to another operation, which was carried out."""

    code = "conflict"
    field = "requestId"

    def __init__(self) -> None:
        super().__init__("requestId was used for another operation")


class TooLargeError(ChatstateError):
    """Above a limit of size."""

    code = "too_large"

    def __init__(self, what: str, *, limit: int, unit: str, field: str | None = None) -> None:
        self.limit = limit
        self.field = field
        super().__init__(f"{what} has more than {limit:,} {unit}")


class PassingError(ChatstateError):
    """Nothing is wrong with the operation; the same may succeed in a moment."""


class BusyError(PassingError):
    """More waits to be stored than may wait; nothing was done."""

    code = "busy"

    def __init__(self) -> None:
        super().__init__("the server is busy; try again")


class FrozenError(PassingError):
    """The shard is being moved; nothing was done."""

    code = "frozen"

    def __init__(self, shard: str) -> None:
        self.shard = shard
        super().__init__("the shard is being moved; try again")


class UnavailableError(PassingError):
    """The database does not answer; a write may have been stored, or not."""

    code = "unavailable"

    def __init__(self) -> None:
        super().__init__("the database does not answer; try again")


class KeyHeldError(UnavailableError):
    """Somebody else holds a row or key that the operation needs; others are not concerned.

    On the wire as ``unavailable``: to a client it is the same.
    """


class InternalError(ChatstateError):
    """A fault of the server; what it was is in its log."""

    def __init__(self) -> None:
        super().__init__("the server failed")
