"""Every error a client can be told about.

    LivesyncError
    ├── ServerAheadError          the client pulls, rebases, pushes again
    ├── BackendIdMismatchError    the client starts over
    ├── RefusedError              this request is refused; told as UnknownError
    │   ├── AuthError             who asks may not
    │   ├── InvalidBatchError     the batch is no chain, or an event breaks a limit
    │   ├── InvalidCursorError    no event can have this number
    │   ├── StoreMismatchError    a message names another store than its connection
    │   ├── PayloadMismatchError  a message carries another payload than its connection
    │   └── LimitError            too much at once
    ├── HookFailedError           a hook of the site is broken; told as UnknownError
    ├── StoreNotFoundError        nobody has synced this store yet (commands and admin)
    ├── StorageUnavailableError   a fault of ours that passes; never told on a pull
    │   ├── StoreHeldError        somebody else holds this one store
    │   ├── StoreArrivingError    its history is being brought here from elsewhere
    │   └── AuthUnavailableError  whether this caller may sync cannot be found out now
    ├── CommitUnknownError        it may be stored, or not; never told at all
    └── RemoteError               what a client was told by a server, if it is none of the above

Source: the closed error union of LiveStore sync-cf 0.4.0, ``common/sync-message-types.ts``.
"""


class LivesyncError(Exception):
    """Base of all errors of livesync."""

    tag = "UnknownError"


class ServerAheadError(LivesyncError):
    """The batch does not continue the eventlog; the client pulls, rebases, pushes again."""

    tag = "ServerAheadError"

    def __init__(self, *, expected: int, provided: int) -> None:
        self.expected = expected
        self.provided = provided
        super().__init__(f"batch continues {provided}, but the head is {expected}")


class BackendIdMismatchError(LivesyncError):
    """The client knows another history of this store; by default it wipes its copy."""

    tag = "BackendIdMismatchError"

    def __init__(self, *, expected: str, received: str) -> None:
        self.expected = expected
        self.received = received
        super().__init__(f"the store's backend id is {expected}, the client knows {received[:128]}")


class RefusedError(LivesyncError):
    """A request that can be read but is not carried out; the same request fails again."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class AuthError(RefusedError):
    """Raised by a hook of the site: this caller may not do this with this store."""


class InvalidBatchError(RefusedError):
    """The batch is not a chain of events, or one of its events breaks a limit."""


class InvalidCursorError(RefusedError):
    """The cursor names a number that no event can have."""


class StoreMismatchError(RefusedError):
    """A message names another store than the URL of its connection."""

    def __init__(self) -> None:
        # neither id is repeated: the message may name a store of somebody else
        super().__init__("the request names another store than the URL of its connection")


class PayloadMismatchError(RefusedError):
    """A message carries another payload than the URL of its connection."""

    def __init__(self) -> None:
        # neither payload is repeated: it may hold a secret
        super().__init__("the request carries another payload than the URL of its connection")


class LimitError(RefusedError):
    """More at once than the settings allow."""


class HookFailedError(LivesyncError):
    """A hook of the site raised what it should not, or gave something of no use."""

    def __init__(self, *, hook: str) -> None:
        self.hook = hook
        # what it raised is for the log: it may name what no client should see
        super().__init__("the server failed")


class StoreNotFoundError(LivesyncError):
    """Nobody has pushed to or pulled from this store yet."""

    def __init__(self, *, store_id: str) -> None:
        self.store_id = store_id
        super().__init__(f"there is no store {store_id!r}")


class StorageUnavailableError(LivesyncError):
    """The database cannot answer now; nothing was stored. The same request may succeed later."""

    # one text for every cause: the database's own words name hosts, users and files
    text = "the storage is unavailable; try again later"

    def __init__(self) -> None:
        super().__init__(self.text)


class StoreHeldError(StorageUnavailableError):
    """Another transaction holds the store; nothing was stored there. Others are not concerned."""


class StoreArrivingError(StorageUnavailableError):
    """The store's history is on its way here from elsewhere: it is served when it is complete."""

    text = "the history of the store is still being brought here; try again when it is complete"


class AuthUnavailableError(StorageUnavailableError):
    """Whether this caller may sync cannot be found out now; raised by hooks of the site."""


class CommitUnknownError(LivesyncError):
    """A COMMIT failed and may have taken effect nevertheless. Nobody is told either way."""


class RemoteError(LivesyncError):
    """A server has refused a request of ours, or failed at it.

    ``name`` is the kind of error there, as far as it was told.
    """

    def __init__(self, message: str, *, name: str = "UnknownError") -> None:
        self.message = on_one_line(message)
        self.name = on_one_line(name)
        super().__init__(f"{self.name}: {self.message}")

    @property
    def may_pass(self) -> bool:
        """Whether nothing was stored and the same request may succeed later."""
        return self.name in (
            StorageUnavailableError.__name__,
            StoreHeldError.__name__,
            StoreArrivingError.__name__,
        )

    @property
    def leaves_doubt(self) -> bool:
        """Whether the server has dropped the request, whatever has become of it."""
        return self.name == "Interrupt"


def on_one_line(text: str) -> str:
    """Words of somebody else, such that they do nothing to a log or a terminal."""
    return "".join(
        character if character.isprintable() else f"\\u{ord(character):04x}" for character in text
    )
