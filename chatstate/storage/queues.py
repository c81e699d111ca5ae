"""Messages that wait for their thread's lock, first in, first out; each expires on its own."""

import json
from collections.abc import Sequence
from typing import Any

from chatstate.protocol.messages import NULL
from chatstate.protocol.operations import (
    Dequeue,
    Enqueue,
    Number,
    QueueDepth,
    key_bytes,
    whole_ttl_ms,
)
from chatstate.storage.cache import text_of
from chatstate.storage.context import Context
from chatstate.storage.steps import Plan, Row, Statement

PURGED_AT_ONCE = 1_000
# others wait meanwhile: what is left is not counted either, and the next one or a clean-up's
PURGE = Statement(f"""
    DELETE FROM chatstate_queuedentry
    WHERE namespace = :namespace AND key_digest = :digest AND number IN (
        SELECT number FROM chatstate_queuedentry
        WHERE namespace = :namespace AND key_digest = :digest AND expires_at_ms <= :now
        ORDER BY expires_at_ms LIMIT {PURGED_AT_ONCE}
    )
""")
INSERT = Statement("""
    INSERT INTO chatstate_queuedentry (namespace, key_digest, number, thread_id, message,
                                       enqueued_at, expires_at, expires_at_ms)
    SELECT CAST(:namespace AS varchar), :digest, coalesce(max(number), 0) + 1, :key, :message,
           :enqueued_at, :expires_at, :expires
    FROM chatstate_queuedentry
    WHERE namespace = CAST(:namespace AS varchar) AND key_digest = :digest
""")
TRIM = Statement("""
    DELETE FROM chatstate_queuedentry
    WHERE namespace = :namespace AND key_digest = :digest AND number <= (
        SELECT number FROM chatstate_queuedentry
        WHERE namespace = :namespace AND key_digest = :digest AND expires_at_ms > :now
        ORDER BY number DESC LIMIT 1 OFFSET :max_size
    )
""")
COUNT = Statement("""
    SELECT count(*) FROM chatstate_queuedentry
    WHERE namespace = :namespace AND key_digest = :digest AND expires_at_ms > :now
""")
IS_LOCKED = Statement("""
    SELECT 1 FROM chatstate_heldlock
    WHERE namespace = :namespace AND key_digest = :digest AND expires_at_ms > :now
""")
# what stands before the first live one has expired; nobody wants to read all of that
TAKE = Statement(
    """
    DELETE FROM chatstate_queuedentry
    WHERE namespace = :namespace AND key_digest = :digest AND number <= (
        SELECT number FROM chatstate_queuedentry
        WHERE namespace = :namespace AND key_digest = :digest AND expires_at_ms > :now
        ORDER BY number LIMIT 1
    )
    RETURNING number, CASE WHEN expires_at_ms > :now THEN message END, enqueued_at, expires_at,
              expires_at_ms
    """,
    only_from="chatstate_queuedentry",
)


def enqueue(operation: Enqueue, context: Context) -> Plan:
    """Add an entry, drop the oldest above ``max_size``; tell whether the queue is stranded."""
    ttl_ms = whole_ttl_ms(operation.ttl_ms)
    parameters = {
        **context.at(operation.thread_id),
        "key": key_bytes(operation.thread_id),
        "message": text_of(operation.message),
        "enqueued_at": _number_text(operation.enqueued_at),
        "expires_at": _number_text(operation.ends_at),
        "expires": context.now_ms + ttl_ms,
        "max_size": operation.max_size,
    }
    writes = [PURGE]
    if ttl_ms > 0:  # an entry that has expired already would push out a live one
        writes += [INSERT, TRIM] if operation.max_size else [INSERT]

    def answer(rows: Sequence[Sequence[Row]]) -> str:
        depth = rows[-2][0][0]
        return json.dumps({"depth": depth, "stranded": depth > 0 and not rows[-1]})

    return Plan((*writes, COUNT, IS_LOCKED), parameters, answer)


def dequeue(operation: Dequeue, context: Context) -> Plan:
    """Take the oldest live entry out, and the dead ones before it."""
    now_ms = context.now_ms

    def answer(rows: Sequence[Sequence[Row]]) -> str:
        if not rows[0]:
            return NULL
        _, message, enqueued_at, expires_at, expires_at_ms = max(rows[0], key=_number)
        return (
            f'{{"message":{message},"enqueuedAt":{enqueued_at},"expiresAt":{expires_at},'
            f'"ttlMs":{expires_at_ms - now_ms}}}'
        )

    return Plan((TAKE,), context.at(operation.thread_id), answer)


def queue_depth(operation: QueueDepth, context: Context) -> Plan:
    """Count the live entries."""
    return Plan((COUNT,), context.at(operation.thread_id), lambda rows: str(rows[0][0][0]))


def _number(row: Row) -> Any:
    return row[0]


def _number_text(number: Number) -> str:
    return json.dumps(number)
