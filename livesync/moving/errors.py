"""What stands against moving a store into or out of a file."""

from livesync.protocol.errors import LivesyncError


class FileRefusedError(LivesyncError):
    """The file is not what it has to be, or not as it was asked for; nothing was changed.

    Args:
        message: what is wrong, for the person who gave the file.
        place: where in the file, such as ``line 12``; None where all of it is meant.
    """

    def __init__(self, message: str, *, place: str | None = None) -> None:
        self.place = place
        super().__init__(message if place is None else f"{place}: {message}")
