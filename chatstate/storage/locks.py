"""Who may work on a thread, and until when.

A lock whose time has passed is free at once, whether its row is still there or not. Of the token
only a digest is stored: who reads the database cannot release what another holds.
"""

import json
import secrets
from collections.abc import Sequence
from hashlib import sha256

from chatstate.protocol.messages import FALSE, NULL, TRUE
from chatstate.protocol.operations import (
    AcquireLock,
    EndHold,
    ExtendLock,
    ForceReleaseLock,
    ReleaseLock,
    key_bytes,
    whole_ttl_ms,
)
from chatstate.storage.context import Context
from chatstate.storage.steps import Plan, Row, Statement

TOKEN_BYTES = 16

ACQUIRE = Statement(
    """
    INSERT INTO chatstate_heldlock AS held (namespace, key_digest, thread_id, token_digest, fence,
                                            acquired_at_ms, expires_at_ms, extended_count)
    VALUES (:namespace, :digest, :key, :token, :fence, :now, :expires, 0)
    ON CONFLICT (namespace, key_digest) DO UPDATE
    SET token_digest = excluded.token_digest, fence = excluded.fence,
        acquired_at_ms = excluded.acquired_at_ms, expires_at_ms = excluded.expires_at_ms,
        extended_count = 0
    WHERE held.expires_at_ms <= :now
    """,
    tells_change=True,
)
EXTEND = Statement(
    """
    UPDATE chatstate_heldlock SET expires_at_ms = :expires, extended_count = extended_count + 1
    WHERE namespace = :namespace AND key_digest = :digest AND token_digest = :token
          AND expires_at_ms > :now
    """,
    tells_change=True,
)
RELEASE = Statement(
    """
    DELETE FROM chatstate_heldlock
    WHERE namespace = :namespace AND key_digest = :digest AND token_digest = :token
    """,
    tells_change=True,
)
FORCE_RELEASE = Statement("""
    DELETE FROM chatstate_heldlock WHERE namespace = :namespace AND key_digest = :digest
""")
END_HOLD = Statement(
    """
    DELETE FROM chatstate_heldlock
    WHERE namespace = :namespace AND key_digest = :digest AND fence = :fence
    """,
    tells_change=True,
)
IS_STRANDED = Statement(
    """
    SELECT 1 FROM chatstate_queuedentry
    WHERE namespace = :namespace AND key_digest = :digest AND expires_at_ms > :now
          AND NOT EXISTS (
              SELECT 1 FROM chatstate_heldlock
              WHERE namespace = :namespace AND key_digest = :digest AND expires_at_ms > :now
          )
    LIMIT 1
    """,
    only_from="chatstate_queuedentry",
)
_RELEASED = {
    (released, stranded): json.dumps({"released": released, "stranded": stranded})
    for released in (False, True)
    for stranded in (False, True)
}


def acquire(operation: AcquireLock, context: Context) -> Plan:
    """Hold the lock under a new token, unless somebody holds it: then the answer is null."""
    token = secrets.token_hex(TOKEN_BYTES)
    fence = next(context.fences)
    ttl_ms = whole_ttl_ms(operation.ttl_ms)
    parameters = {
        **context.at(operation.thread_id),
        "key": key_bytes(operation.thread_id),
        "token": _digest(token),
        "fence": fence,
        "expires": context.now_ms + ttl_ms,
    }

    def answer(rows: Sequence[Sequence[Row]]) -> str:
        return f'{{"token":"{token}","fence":{fence},"ttlMs":{ttl_ms}}}' if rows[0] else NULL

    return Plan((ACQUIRE,), parameters, answer)


def extend(operation: ExtendLock, context: Context) -> Plan:
    """Let the lock end at another instant, if the token holds it; it never comes back to life."""
    parameters = {
        **context.at(operation.thread_id),
        "token": _digest(operation.token),
        "expires": context.now_ms + whole_ttl_ms(operation.ttl_ms),
    }
    return Plan((EXTEND,), parameters, lambda rows: TRUE if rows[0] else FALSE)


def release(operation: ReleaseLock, context: Context) -> Plan:
    """Give the lock back, if the token is its last; tell whether that strands its queue."""
    parameters = {**context.at(operation.thread_id), "token": _digest(operation.token)}

    def answer(rows: Sequence[Sequence[Row]]) -> str:
        return _RELEASED[bool(rows[0]), bool(rows[1])]

    return Plan((RELEASE, IS_STRANDED), parameters, answer)


def force_release(operation: ForceReleaseLock, context: Context) -> Plan:
    """Make the lock free, whoever holds it."""
    return Plan((FORCE_RELEASE,), context.at(operation.thread_id), lambda _: NULL)


def end_hold(operation: EndHold, context: Context) -> Plan:
    """Make the lock free, if it is still the hold that is meant; tell whether it was."""
    parameters = {**context.at(operation.thread_id), "fence": operation.fence}
    return Plan((END_HOLD,), parameters, lambda rows: TRUE if rows[0] else FALSE)


def _digest(token: str) -> bytes:
    # equal digests are found by an index, whose timing tells nothing of the token
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
