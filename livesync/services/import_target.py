"""Which store an import goes to, and whether that store may take it."""

from pathlib import Path
from typing import NamedTuple

from groundwork.visible_text import visible
from livesync.conf import get_settings
from livesync.moving.errors import FileRefusedError
from livesync.moving.source import Origin
from livesync.protocol.errors import LivesyncError
from livesync.protocol.search_params import is_store_id
from livesync.storage import get_engine
from livesync.storage.backend_id import is_backend_id, new_backend_id
from livesync.storage.engine import StoreDetails


class ImportRefusedError(LivesyncError):
    """The file is sound, but what is stored here, or what was asked for, does not fit it."""


class ImportRequest(NamedTuple):
    """What is to be imported.

    Attributes:
        path: the file.
        store_id: which store of the file; None for the only one.
        target: its id here; None for the same.
        context: the file of the store's Durable Object, where its events are in D1.
        backend_id: the history's identity, where the file does not say it.
        is_new_history: give it a new identity if nobody says which it has; clients start over.
        beyond_head: take also the events above the head that the file's own server knows.
        restart: forget what an import that was cut off has left.
    """

    path: Path
    store_id: str | None = None
    target: str | None = None
    context: Path | None = None
    backend_id: str | None = None
    is_new_history: bool = False
    beyond_head: bool = False
    restart: bool = False


class Target(NamedTuple):
    """The store here, as it was found: ``stored`` is what it has, if it exists."""

    store_id: str
    backend_id: str
    stored: StoreDetails | None
    is_served: bool


def find_target(request: ImportRequest, origin: Origin) -> Target:
    """Which store here takes the history of ``origin``, and as which history.

    With ``restart`` what a cut import has left is forgotten first.

    Raises:
        FileRefusedError: the file is of another store than the one asked for.
        ImportRefusedError: the store here cannot take it, or nobody says as which history.
    """
    store_id = _target_id(request, origin)
    engine = get_engine()
    if request.restart:
        engine.drop_adoption(store_id)
    stored = engine.inspect(store_id)
    is_served = bool(engine.states([store_id]))
    backend_id = _backend_id(request, origin, stored)
    if stored is not None and stored.backend_id != backend_id and not _is_free(stored, is_served):
        raise ImportRefusedError(_other_history(stored, backend_id, is_served=is_served))
    return Target(store_id, backend_id, stored, is_served)


def _target_id(request: ImportRequest, origin: Origin) -> str:
    if request.store_id is not None and origin.store_id not in (None, request.store_id):
        raise FileRefusedError(
            f"it is of store {visible(origin.store_id or '')}, not of {visible(request.store_id)}; "
            "--to imports it under another id"
        )
    store_id = request.target or request.store_id or origin.store_id
    max_bytes = get_settings().store_id_max_bytes
    if store_id is None or not is_store_id(store_id, max_bytes=max_bytes):
        raise ImportRefusedError(
            f"{visible(store_id or '')!r} is no store id: 1 to {max_bytes} bytes without control "
            "characters"
        )
    return store_id


def _backend_id(request: ImportRequest, origin: Origin, stored: StoreDetails | None) -> str:
    said = origin.backend_id
    if said is not None and request.backend_id not in (None, said):
        raise ImportRefusedError(f"the file says that its backend id is {said}")
    backend_id = said or request.backend_id
    if backend_id is None and request.is_new_history:
        return stored.backend_id if stored is not None else new_backend_id()
    if backend_id is None:
        raise ImportRefusedError(
            "nobody says which backend id the history has: with another one every client starts "
            "over. Give --context or --backend-id, or --new-backend-id if they may"
        )
    if not is_backend_id(backend_id):
        raise ImportRefusedError(f"{visible(backend_id[:128])!r} is no backend id")
    return backend_id


def _is_free(stored: StoreDetails, is_served: bool) -> bool:
    return is_served and stored.event_count == 0


def _other_history(stored: StoreDetails, backend_id: str, *, is_served: bool) -> str:
    store_id = visible(stored.store_id)
    if not is_served:
        return (
            f"an import of store {store_id} that was cut off had the backend id "
            f"{stored.backend_id}, this one has {backend_id}; --restart forgets the other one"
        )
    return (
        f"store {store_id} has another history here: backend id {stored.backend_id}, "
        f"{stored.event_count:,} events; the file has {backend_id}"
    )
