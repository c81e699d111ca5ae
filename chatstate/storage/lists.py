"""Values in the order in which they were added.

The head of a list says which numbers are live and when all of them expire: to refresh, trim or
start again is to change one row, and no part of a list outlives another.
"""

from collections.abc import Sequence

from chatstate.protocol.messages import NULL
from chatstate.protocol.operations import AppendToList, GetList, GetMore, key_bytes
from chatstate.storage.cache import expires_at_ms, text_of
from chatstate.storage.context import Context
from chatstate.storage.steps import Piece, Plan, Row, Statement

PAGE_MAX_ITEMS = 10_000
TRIMMED_AT_ONCE = 1_000
_UNBOUNDED = 2**53

# numbers go on after an expiry, so that what is left of the old life is below the first live one
APPEND_TO_HEAD = Statement("""
    INSERT INTO chatstate_listhead AS head (namespace, key_digest, key, first_number, last_number,
                                            expires_at_ms)
    VALUES (:namespace, :digest, :key, 1, 1, CAST(:expires AS bigint))
    ON CONFLICT (namespace, key_digest) DO UPDATE
    SET last_number = head.last_number + 1,
        first_number = CASE
            WHEN head.expires_at_ms <= :now THEN head.last_number + 1
            WHEN head.first_number < head.last_number + 2 - :max_length
                THEN head.last_number + 2 - :max_length
            ELSE head.first_number END,
        expires_at_ms = CASE
            WHEN CAST(:expires AS bigint) IS NOT NULL THEN CAST(:expires AS bigint)
            WHEN head.expires_at_ms <= :now THEN NULL
            ELSE head.expires_at_ms END
""")
INSERT_ITEM = Statement("""
    INSERT INTO chatstate_listitem (namespace, key_digest, number, value)
    SELECT namespace, key_digest, last_number, :value
    FROM chatstate_listhead WHERE namespace = :namespace AND key_digest = :digest
""")
# nobody sees what is below the first number: of a huge old list each append removes a part
TRIM = Statement(f"""
    DELETE FROM chatstate_listitem
    WHERE namespace = :namespace AND key_digest = :digest AND number < (
        SELECT first_number FROM chatstate_listhead
        WHERE namespace = :namespace AND key_digest = :digest
    ) AND number < (
        SELECT min(number) + {TRIMMED_AT_ONCE} FROM chatstate_listitem
        WHERE namespace = :namespace AND key_digest = :digest
    )
""")
_LIVE = """
    FROM chatstate_listhead AS head JOIN chatstate_listitem AS item
         ON item.namespace = head.namespace AND item.key_digest = head.key_digest
    WHERE head.namespace = :namespace AND head.key_digest = :digest
          AND (head.expires_at_ms IS NULL OR head.expires_at_ms > :now)
          AND item.number >= head.first_number AND item.number > :after AND item.number <= :end
    ORDER BY item.number LIMIT :max_items
"""
GET_LIST = Statement(
    f"SELECT item.number, item.value, head.last_number {_LIVE}",
    # its driver takes in all rows before it gives the first
    postgresql=f"""
        SELECT number, value, last_number FROM (
            SELECT item.number, item.value, head.last_number, length(item.value) AS size,
                   sum(length(item.value)) OVER (ORDER BY item.number) AS running_size
            {_LIVE}
        ) AS live WHERE running_size <= :max_chars OR running_size = size
        ORDER BY number
    """,
)


def append(operation: AppendToList, context: Context) -> Plan:
    """Add an item, then forget those before the newest ``max_length``."""
    parameters = {
        **context.at(operation.key),
        "key": key_bytes(operation.key),
        "value": text_of(operation.value),
        "expires": expires_at_ms(operation.ttl_ms, context),
        "max_length": operation.max_length or _UNBOUNDED,
    }
    return Plan((APPEND_TO_HEAD, INSERT_ITEM, TRIM), parameters, lambda _: NULL)


def get_list(operation: GetList, context: Context) -> Plan:
    """Read from the first item, as far as a page goes."""
    return _read(operation, context, after=0, end=_UNBOUNDED)


def get_more(operation: GetMore, context: Context) -> Plan:
    """Read on behind a page."""
    return _read(operation, context, after=operation.after, end=operation.end)


def _read(operation: GetList, context: Context, *, after: int, end: int) -> Plan:
    parameters = {
        **context.at(operation.key),
        "after": after,
        "end": end,
        "max_items": PAGE_MAX_ITEMS,
        "max_chars": context.list_page_max_chars,
    }

    def answer(rows: Sequence[Sequence[Row]]) -> Piece:
        if not rows[0]:
            return Piece(())
        last_number, _, newest = rows[0][-1]
        stop = min(newest, end)
        items = [value for _, value, _ in rows[0]]
        return Piece(items, last_number, stop if last_number < stop else None)

    return Plan((GET_LIST,), parameters, answer, context.list_page_max_chars)
