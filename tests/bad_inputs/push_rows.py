"""B56 to B78: pushes that store nothing, on a store whose head is 2."""

import json

from tests.bad_inputs.answers import DIE, PULLED, REFUSED, SUCCESS, closed, kinds, status
from tests.bad_inputs.messages import (
    CANARY,
    PAYLOAD,
    event,
    ping_call,
    pull,
    push,
    some,
)
from tests.bad_inputs.rows import Row

FOREIGN = closed(1008, "UnknownError")
FORBIDDEN = status(403)
AHEAD = kinds("ServerAheadError")
MISMATCH = kinds("BackendIdMismatchError")

_WRONG_NUMBERS = {
    "a fraction": "3.5",
    "text": '"3"',
    "true": "true",
    "null": "null",
    "an array": "[]",
    "an object": "{}",
    "missing": None,
    "2^53": str(2**53),
    "2^63": str(2**63),
    "2^64": str(2**64),
    "1e308": "1e308",
    "1e400": "1e400",
    "of 5,000 digits": "9" * 5_000,
}
_WRONG_TEXTS = {
    "of 1,025 bytes": json.dumps("x" * 1_025),
    "of 1,025 bytes in 342 characters": json.dumps("\u20ac" * 341 + "xx"),
    "of 64 KiB": json.dumps("x" * 65_536),
    "with NUL": '"a\\u0000b"',
    "with half an emoji": '"a\\ud83d"',
    "with the halves of an emoji the wrong way round": '"\\ude00\\ud83d"',
}
_OTHER_WORDS = f'{{ "auth\\u0054oken" :\t"{CANARY}" }}'
_LARGE = f'"{"x" * 1_200_000}"'
_FIELDS = ("name", "clientId", "sessionId")
_OTHER_STORES = {
    "one that exists": "neighbour",
    "one that does not exist": "nobody",
    "in capitals": "@STORE@X",
    "with a blank": "@STORE@ ",
    "empty": "",
    "with NUL": "@STORE@\\u0000",
    "a twin in Unicode": "@STORE@\\u200d",
    "another way to write e acute": "e\\u0301",
}

ROWS = [
    Row("B56", "empty batch", push(), SUCCESS),
    Row("B56", "empty batch, numeric id", push(id="7"), SUCCESS, request_id=7),
    Row("B56", "empty batch on another history", push(backendId=some('"other"')), SUCCESS),
    #
    Row("B57", "parent below the head", push(event(2, 1)), AHEAD),
    Row("B57", "parent below the head, number above", push(event(9, 1)), AHEAD),
    Row("B57", "onto the empty store", push(event(1, 0)), AHEAD),
    Row("B58", "parent above the head", push(event(9, 8)), AHEAD),
    #
    Row("B60", "siblings", push(event(3, 2), event(4, 2)), REFUSED),
    Row("B60", "a break in the middle", push(event(3, 2), event(4, 3), event(6, 5)), REFUSED),
    #
    Row("B61", "backwards", push(event(5, 4), event(3, 2)), REFUSED),
    Row("B61", "backwards from the head", push(event(4, 2), event(3, 4)), REFUSED),
    Row("B61", "twice the same", push(event(3, 2), event(3, 2)), REFUSED),
    Row("B61", "its own parent", push(event(3, 3)), REFUSED),
    Row("B61", "its own parent at the head", push(event(2, 2)), REFUSED),
    Row("B61", "below its parent", push(event(1, 2)), REFUSED),
    Row("B61", "number 0", push(event(0, 0)), REFUSED),
    #
    *[
        Row("B62", f"seqNum {what}", push(event(number)), DIE)
        for what, number in _WRONG_NUMBERS.items()
    ],
    *[
        Row("B62", f"parentSeqNum {what}", push(event(3, _WRONG_NUMBERS[what])), DIE)
        for what in ("a fraction", "text", "true", "missing", "2^53", "1e400")
    ],
    Row("B62", "the second seqNum", push(event(3, 2), event("4.5", 3)), DIE),
    Row("B62", "batch missing", push(batch=None), DIE),
    Row("B62", "batch null", push(batch="null"), DIE),
    Row("B62", "batch an object", push(batch="{}"), DIE),
    Row("B62", "event null", push("null"), DIE),
    Row("B62", "event an array", push("[]"), DIE),
    Row("B62", "numeric id", push(event("1.5"), id="7"), DIE, request_id=7),
    #
    Row("B64", "seqNum -1", push(event(-1)), REFUSED),
    Row("B64", "parentSeqNum -1", push(event(0, -1)), REFUSED),
    Row("B64", "seqNum -2^63", push(event(-(2**63))), REFUSED),
    #
    *[
        Row("B65", f"{field} {what}", push(event(**{field: text})), REFUSED)
        for field in _FIELDS
        for what, text in _WRONG_TEXTS.items()
    ],
    *[
        Row("B65", f"{field} {text}", push(event(**{field: text})), DIE)
        for field in _FIELDS
        for text in (None, "7")
    ],
    #
    Row("B73", "another history", push(event(), backendId=some('"other"')), MISMATCH),
    Row(
        "B73",
        "another history, numeric id",
        push(event(), backendId=some('"o"'), id="7"),
        MISMATCH,
        request_id=7,
    ),
    Row(
        "B73", "another history, stale as well", push(event(2, 1), backendId=some('"o"')), MISMATCH
    ),
    Row(
        "B73", "a history with half an emoji", push(event(), backendId=some('"\\ud83d"')), MISMATCH
    ),
    Row(
        "B73",
        "a history of 128 characters",
        push(event(), backendId=some(f'"{"x" * 128}"')),
        MISMATCH,
    ),
    Row(
        "B74",
        "backendId of 129 characters",
        push(event(), backendId=some(f'"{"x" * 129}"')),
        REFUSED,
    ),
    Row("B74", "backendId of 1 MB", push(event(), backendId=some(f'"{"x" * 1_000_000}"')), REFUSED),
    Row("B74", "backendId empty", push(event(), backendId=some('""')), REFUSED),
    *[
        Row("B74", f"backendId {option}", push(event(), backendId=option), DIE)
        for option in (
            None,
            "null",
            '"x"',
            "{}",
            '{"_tag":null}',
            '{"_tag":"Foo"}',
            '{"_tag":"Some"}',
            some("null"),
            some("7"),
        )
    ],
    #
    Row(
        "B71",
        "an event of 1.2 MB",
        push(event(args=f'"{"x" * 1_200_000}"')),
        closed(1009),
        status(413),
    ),
    #
    *[
        Row("B77", f"{name} to {what}", message, FOREIGN, FORBIDDEN)
        for what, store in _OTHER_STORES.items()
        for name, message in {
            "push": push(event(), storeId=f'"{store}"'),
            "pull": pull(storeId=f'"{store}"'),
        }.items()
    ],
    Row("B77", "empty push", push(storeId='"neighbour"'), FOREIGN, FORBIDDEN),
    Row("B77", "live pull", pull(storeId='"neighbour"', live="true"), FOREIGN, FORBIDDEN),
    Row(
        "B77",
        "numeric id",
        push(event(), storeId='"nobody"', id="7"),
        FOREIGN,
        FORBIDDEN,
        request_id=7,
    ),
    Row("B77", "storeId missing", push(event(), storeId=None), DIE),
    Row("B77", "storeId null", pull(storeId="null"), DIE),
    Row("B77", "storeId a number", pull(storeId="7"), DIE),
    #
    *[
        Row("B78", f"payload {payload[:40]}", push(event(), payload=payload), FOREIGN, FORBIDDEN)
        for payload in (
            '{"authToken":"somebody else"}',
            f'{{"authToken":"{CANARY}","role":"admin"}}',
            f'{{"authToken":["{CANARY}"]}}',
            f"[{PAYLOAD}]",
            "{}",
            "null",
            "true",
            '"x"',
        )
    ],
    Row("B78", "pull", pull(payload="{}"), FOREIGN, FORBIDDEN),
    Row("B78", "live pull", pull(payload="{}", live="true"), FOREIGN, FORBIDDEN),
    Row("B78", "without a payload", pull(payload=None), PULLED),
    Row("B78", "the same payload in other words", pull(payload=_OTHER_WORDS), PULLED),
    Row("B78", "payload 65 deep", push(event(), payload="[" * 65 + "]" * 65), DIE),
    Row("B78", "empty push", push(payload="{}"), FOREIGN, FORBIDDEN),
]

HTTP_ROWS = [
    Row("B77", "ping", ping_call(), SUCCESS),
    Row("B78", "ping without a payload", ping_call(payload=None), SUCCESS),
    Row("B77", "ping to another store", ping_call(storeId='"nobody"'), FORBIDDEN),
    Row("B77", "ping to a neighbour", ping_call(storeId='"neighbour"'), FORBIDDEN),
    Row("B78", "ping with another payload", ping_call(payload="{}"), FORBIDDEN),
    Row(
        "B77",
        "behind a valid push in one array",
        f"[{push(event())},{pull(storeId=json.dumps('neighbour'))}]",
        FORBIDDEN,
    ),
]
