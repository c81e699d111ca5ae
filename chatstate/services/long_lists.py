"""Lists that are longer than what is read of one at a time."""

from collections.abc import AsyncIterator, Iterator, Sequence

from chatstate.protocol.errors import ChatstateError
from chatstate.protocol.operations import GetList, GetMore
from chatstate.services.execute import execute
from chatstate.storage.steps import Piece


async def read_on(namespace: str, operation: GetList, piece: Piece) -> AsyncIterator[Piece]:
    """The pieces of a list, from the first, which ``operation`` came to, to the last.

    Each is read when it is asked for.

    Raises:
        ChatstateError: the next piece cannot be read.
    """
    yield piece
    while piece.end_number is not None:
        more = GetMore(
            key=operation.key,
            shard=operation.shard,
            after=piece.last_number,
            end=piece.end_number,
        )
        (following,) = await execute(namespace, [more])
        if isinstance(following, ChatstateError):
            raise following
        assert isinstance(following, Piece)
        piece = following
        yield piece


def in_parts(items: Sequence[str], *, max_chars: int) -> Iterator[Sequence[str]]:
    """Part the items: each part has ``max_chars`` at most, or one item. There is one at least."""
    part: list[str] = []
    size = 0
    for item in items:
        if part and size + len(item) > max_chars:
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item) + 1
    yield part
