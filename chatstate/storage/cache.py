"""Single values by key, each with its own expiry."""

from typing import Any

from msgspec import Raw

from chatstate.protocol.messages import FALSE, NULL, TRUE
from chatstate.protocol.operations import (
    Delete,
    Get,
    Number,
    Set,
    SetIfNotExists,
    key_bytes,
    whole_ttl_ms,
)
from chatstate.storage.context import Context
from chatstate.storage.steps import Plan, Statement

GET = Statement("""
    SELECT value FROM chatstate_cacheentry
    WHERE namespace = :namespace AND key_digest = :digest
          AND (expires_at_ms IS NULL OR expires_at_ms > :now)
""")
_INSERT = """
    INSERT INTO chatstate_cacheentry AS entry (namespace, key_digest, key, value, written_at_ms,
                                               expires_at_ms)
    VALUES (:namespace, :digest, :key, :value, :now, :expires)
    ON CONFLICT (namespace, key_digest) DO UPDATE
    SET value = excluded.value, written_at_ms = excluded.written_at_ms,
        expires_at_ms = excluded.expires_at_ms
"""
SET = Statement(_INSERT)
SET_IF_NOT_EXISTS = Statement(f"{_INSERT} WHERE entry.expires_at_ms <= :now", tells_change=True)
DELETE = Statement("""
    DELETE FROM chatstate_cacheentry WHERE namespace = :namespace AND key_digest = :digest
""")


def get(operation: Get, context: Context) -> Plan:
    """Read an entry; null for one that is missing or has expired."""
    return Plan((GET,), context.at(operation.key), lambda rows: rows[0][0][0] if rows[0] else NULL)


def set_(operation: Set, context: Context) -> Plan:
    """Write an entry, value and expiry."""
    return Plan((SET,), _entry(operation, context), lambda _: NULL)


def set_if_not_exists(operation: SetIfNotExists, context: Context) -> Plan:
    """Write an entry unless a live one is there."""
    return Plan(
        (SET_IF_NOT_EXISTS,),
        _entry(operation, context),
        lambda rows: TRUE if rows[0] else FALSE,
    )


def delete(operation: Delete, context: Context) -> Plan:
    """Remove an entry."""
    return Plan((DELETE,), context.at(operation.key), lambda _: NULL)


def text_of(value: Raw) -> str:
    """A value as it is stored."""
    return str(value, "utf-8")


def expires_at_ms(ttl_ms: Number | None, context: Context) -> int | None:
    """When something with this ttl expires; without one, or with 0, never."""
    return context.now_ms + whole_ttl_ms(ttl_ms) if ttl_ms else None


def _entry(operation: Set | SetIfNotExists, context: Context) -> dict[str, Any]:
    return {
        **context.at(operation.key),
        "key": key_bytes(operation.key),
        "value": text_of(operation.value),
        "expires": expires_at_ms(operation.ttl_ms, context),
    }
