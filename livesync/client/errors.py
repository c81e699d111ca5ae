"""What can go wrong between a client and its server, besides what the server itself says.

LivesyncError
├── ServerAheadError, BackendIdMismatchError, InvalidBatchError ...   livesync.protocol.errors
└── ClientError
    ├── UnreachableError      no server answered in time; nothing was stored
    ├── InDoubtError          no answer came in time; the events may be stored, or not
    ├── AccessRefusedError    the server does not let this client in
    ├── WrongAnswerError      what came is not the protocol
    ├── ClosedError           the client was closed
    └── LostError             a link has ended; clients try again, so callers never meet it
"""

from livesync.protocol.errors import LivesyncError, on_one_line

_PASSING_STATUSES = (408, 425, 429)
_REASON_MAX_BYTES = 400


class ClientError(LivesyncError):
    """Base of the errors that arise on the client's side."""

    def __init__(self, text: str) -> None:
        super().__init__(on_one_line(text))  # it may repeat what a server has sent


class UnreachableError(ClientError):
    """No server answered in time; nothing was stored. It may later."""


class InDoubtError(ClientError):
    """A push was sent and no answer came in time: its events may be stored, or not.

    To push them again would store them twice if they are. Pull from where they were to be, and
    look.
    """


class AccessRefusedError(ClientError):
    """The server does not let this client in: wrong credentials, or no sync server at this URL."""

    def __init__(self, *, status: int, reason: str) -> None:
        self.status = status
        self.reason = on_one_line(reason)
        super().__init__(f"the server answered {status}{f': {reason}' if reason else ''}")


class WrongAnswerError(ClientError):
    """The server, or what answers in its place, does not keep to the protocol."""


class ClosedError(ClientError):
    """The client was closed before."""

    def __init__(self) -> None:
        super().__init__("the client is closed")


class LostError(ClientError):
    """The link to the server has ended, or none could be made.

    ``at_once``: it was ended from this side, so that the next one needs no pause.
    """

    def __init__(self, reason: str, *, at_once: bool = False) -> None:
        self.at_once = at_once
        super().__init__(reason)


def refusal(status: int, body: bytes) -> AccessRefusedError | LostError:
    """What an HTTP status other than success means; the request was not carried out."""
    reason = body[:_REASON_MAX_BYTES].decode(errors="replace").strip()
    if 300 <= status < 500 and status not in _PASSING_STATUSES:
        return AccessRefusedError(status=status, reason=reason)
    return LostError(f"the server answered {status}: {reason}")
