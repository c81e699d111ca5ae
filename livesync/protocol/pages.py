"""A PullResponse as it is told: its events, encoded one by one, and the page around them.

Source: LiveStore sync-cf 0.4.0, ``common/sync-message-types.ts``.
"""

import json
from collections.abc import Sequence
from functools import lru_cache

from livesync.protocol.events import Event

_ITEM_START = '{"eventEncoded":'
_ITEM_MIDDLE = ',"metadata":{"_tag":"Some","value":{"_tag":"SyncMessage.SyncMetadata","createdAt":"'
_ITEM_END = '"}}}'
_CREATED_AT_LENGTH = len("2026-01-31T12:00:00.000Z")
_ITEM_TAIL_LENGTH = len(_ITEM_MIDDLE) + _CREATED_AT_LENGTH + len(_ITEM_END)


def encode_event(event: Event, created_at: str) -> str:
    """One item of a page, as JSON; ``created_at`` is ISO 8601 in UTC with milliseconds."""
    return encode_item(
        event.seq_num,
        event.parent_seq_num,
        event.name,
        event.args,
        event.client_id,
        event.session_id,
        created_at,
    )


def encode_item(
    seq_num: int,
    parent_seq_num: int,
    name: str,
    args: str | None,
    client_id: str,
    session_id: str,
    created_at: str,
) -> str:
    """The same from the columns of a stored event: pages are read a thousand events at a time."""
    args_member = "" if args is None else f'"args":{args},'
    return (
        f'{_ITEM_START}{{"name":{quote(name)},{args_member}"seqNum":{seq_num},'
        f'"parentSeqNum":{parent_seq_num},"clientId":{quote(client_id)},'
        f'"sessionId":{quote(session_id)}}}{_ITEM_MIDDLE}{created_at}{_ITEM_END}'
    )


def split_item(item: str) -> tuple[str, str]:
    """The event in an encoded item, as JSON, and its ``createdAt``: ``encode_item`` backwards."""
    event_end = len(item) - _ITEM_TAIL_LENGTH
    created_at_start = event_end + len(_ITEM_MIDDLE)
    return item[len(_ITEM_START) : event_end], item[created_at_start : -len(_ITEM_END)]


def encode_page(events: Sequence[str], *, remaining: int, backend_id: str) -> str:
    """A PullResponse, as JSON.

    Args:
        events: encoded events; none for an empty store.
        remaining: how many stored events follow after this page.
        backend_id: the store's history.
    """
    more = '"NoMore"' if not remaining else f'"MoreKnown","remaining":{remaining}'
    return (
        f'{{"batch":[{",".join(events)}],"pageInfo":{{"_tag":{more}}},'
        f'"backendId":{quote(backend_id)}}}'
    )


@lru_cache(maxsize=4_096)
def quote(text: str) -> str:
    """``text`` as a JSON string; names and ids recur, so the last ones are kept."""
    return json.dumps(text, ensure_ascii=False)
