"""Move a store between the engines without stopping the site."""

import logging
from collections.abc import Iterator

from groundwork.connections import refuse_inside_atomic
from groundwork.visible_text import visible
from livesync.models import Place
from livesync.protocol.errors import LivesyncError
from livesync.storage import get_engine
from livesync.storage.move import move
from livesync.storage.routed import RoutedEngine

logger = logging.getLogger(__name__)


class NoFilesError(LivesyncError):
    """The site has no directory for the files of stores."""

    def __init__(self) -> None:
        super().__init__("LIVESYNC['files_directory'] names no place for the files of stores")


def move_store(store_id: str, to: Place, *, by: str = "code of the site") -> Iterator[int]:
    """Move a store to the other engine while clients go on; gives how many events were copied.

    Live pulls notice nothing; pushes wait for an instant at the end. It takes iterating to the end
    to move the store; who stops before has changed nothing.

    Args:
        store_id: which store.
        to: ``Place.DATABASE`` or ``Place.FILES``.
        by: who wants it, for the log.

    Raises:
        NoFilesError: files are not set up.
        LivesyncError: see ``livesync.storage.move.move``.
    """
    refuse_inside_atomic("livesync")
    engine = get_engine()
    if not isinstance(engine, RoutedEngine):
        raise NoFilesError
    yield from move(engine, store_id, to)
    logger.warning("store %s was moved to %s by %s", visible(store_id), to.value, by)
