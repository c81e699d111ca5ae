"""Each operation's members and answer as JSON schemas, made of its declaration."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
from msgspec import Raw

from chatstate.protocol.operations import (
    MAX_COUNT,
    MAX_REQUEST_ID_CHARS,
    GetList,
    OnThread,
    Operation,
    name_of,
)
from chatstate.services.execute import get_limits

Document = dict[str, Any]

BOOLEAN: Document = {"type": "boolean"}
_COUNT: Document = {"type": "integer", "minimum": 0}
_INSTANT: Document = {"type": "number", "description": "milliseconds by the client's clock"}
_NOTHING: Document = {"nullable": True, "enum": [None], "description": "always null"}
ANY: Document = {"description": "any JSON, as it was written"}


def an_object(**members: Document) -> Document:
    """The schema of an object that has all of these members."""
    return {"type": "object", "required": list(members), "properties": members}


def _or_null(schema: Document, when: str) -> Document:
    return {**schema, "nullable": True, "description": f"null: {when}"}


_TTL: Document = {"type": "integer", "description": "milliseconds that are left"}
_VALUES: Mapping[str, Document] = {
    "subscribe": _NOTHING,
    "unsubscribe": _NOTHING,
    "isSubscribed": BOOLEAN,
    "acquireLock": _or_null(
        an_object(
            token={"type": "string"},
            fence={"type": "integer", "description": "only grows, within a shard's database"},
            ttlMs=_TTL,
        ),
        "somebody holds the lock",
    ),
    "extendLock": BOOLEAN,
    "releaseLock": an_object(released=BOOLEAN, stranded=BOOLEAN),
    "forceReleaseLock": _NOTHING,
    "get": {"description": "the value as it was written; null: there is none"},
    "set": _NOTHING,
    "setIfNotExists": BOOLEAN,
    "delete": _NOTHING,
    "appendToList": _NOTHING,
    "enqueue": an_object(depth=_COUNT, stranded=BOOLEAN),
    "dequeue": _or_null(
        an_object(message=ANY, enqueuedAt=_INSTANT, expiresAt=_INSTANT, ttlMs=_TTL),
        "the queue is empty",
    ),
    "queueDepth": _COUNT,
}
"""What ``value`` is in the answer to each operation; ``getList`` has ``items`` instead."""


def members_of(operation: type[Operation]) -> Document:
    """The schema of a request's body, as the operation declares its members."""
    fields = [
        field
        for field in msgspec.structs.fields(operation)
        if field.name != "id" and (field.name != "request_id" or operation.is_once)
    ]
    document: Document = {
        "type": "object",
        "properties": {
            field.encode_name: {**_type_of(field.type), **_bounds_of(field.encode_name, operation)}
            for field in fields
        },
    }
    document["required"] = [field.encode_name for field in fields if field.required]
    return document


def answer_of(operation: type[Operation]) -> Document:
    """The schema of the answer to an operation that was done."""
    if operation is GetList:
        answer = an_object(items={"type": "array", "items": ANY, "description": "oldest first"})
        answer["properties"]["error"] = {
            "type": "object",
            "description": "only if a long list could not be read to its end: why",
        }
        return answer
    return an_object(value=_VALUES[name_of(operation)])


def _type_of(wanted: Any) -> Document:
    if wanted is Raw:
        return {}
    types = get_args(wanted) or (wanted,)
    if float in types:
        schema: Document = {"type": "number"}
    elif int in types:
        schema = {"type": "integer"}
    else:
        schema = {"type": "string"}
    return {**schema, "nullable": True} if type(None) in types else schema


def _bounds_of(member: str, operation: type[Operation]) -> Document:
    limits = get_limits()
    if member in ("key", "threadId"):
        return {
            "minLength": 1,
            "maxLength": limits.key_max_bytes,
            "description": f"1 to {limits.key_max_bytes:,} bytes of UTF-8",
        }
    if member in ("value", "message"):
        return {
            "description": (
                f"any JSON of up to {limits.value_max_bytes:,} bytes, nested up to "
                f"{limits.value_max_depth} deep; it is kept as it is written"
            )
        }
    if member in ("maxLength", "maxSize"):
        told = "what is above falls off at the old end; 0 or left out: no bound"
        return {"minimum": 0, "maximum": MAX_COUNT, "description": told}
    if member == "ttlMs":
        return {"description": _ttl_of(operation)}
    return _DESCRIPTIONS[member]


_DESCRIPTIONS: Mapping[str, Document] = {
    "token": {"description": "of the lock, as acquireLock gave it"},
    "enqueuedAt": {"description": "an instant in milliseconds by the client's clock"},
    "expiresAt": {
        "description": "the same; the entry lives for expiresAt - sentAt by the server's clock"
    },
    "sentAt": {"description": "the client's clock when it sends this; left out: enqueuedAt"},
    "shard": {"description": "the shard that keeps it; left out: the server's settings decide"},
    "requestId": {
        "minLength": 1,
        "maxLength": MAX_REQUEST_ID_CHARS,
        "pattern": "^[ -~]+$",
        "description": (
            "never used before in the namespace; the same again within "
            "60 s gets the first answer, and nothing is done twice"
        ),
    },
}


def _ttl_of(operation: type[Operation]) -> str:
    told = "milliseconds from now by the server's clock, at most ten years"
    if issubclass(operation, OnThread):
        return f"{told}; 0 or less: free again at once"
    if name_of(operation) == "appendToList":
        return f"{told}, of the whole list; 0 or left out: it stays; below 0 is refused"
    return f"{told}; 0 or left out: for ever; below 0: expired at once"
