"""Frames that no client sends, and what is answered.

``id`` is the row of the project's catalogue of bad inputs; the others follow from
``docs/chat-protocol.md``.
"""

from typing import NamedTuple


class Told(NamedTuple):
    """What is said of an operation, or of a whole frame where ``id`` is None."""

    id: int | None
    code: str
    field: str | None = None


class Frame(NamedTuple):
    """A frame and the errors that answer it."""

    id: str
    what: str
    text: str
    told: tuple[Told, ...]


MALFORMED = (Told(None, "malformed"),)


GET = '{"id":1,"op":"get","key":"k"}'


def _refused(id: str, what: str, code: str, operation: str, *, field: str | None = None) -> Frame:
    return Frame(id, what, f'[{{"id":1,{operation}}}]', (Told(1, code, field),))


NOT_JSON = {
    "a control character": '"a\x01b"',
    "NUL as it is": '"a\x00b"',
    "a line break in a string": '"a\nb"',
    "an unknown escape": r'"\x41"',
    "half an escape": r'"\u12"',
    "a string without end": '"a',
    "single quotes": "'a'",
    "a leading zero": "01",
    "a plus": "+1",
    "a point without digits": "1.",
    "hexadecimal": "0x10",
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "undefined": "undefined",
    "TRUE": "TRUE",
    "a comma too many": "[1,]",
    "a comma too many in an object": '{"a":1,}',
    "a name that is no string": "{1:2}",
    "two values": "1 2",
    "a comment": "1 /* one */",
    "nothing": "",
    "brackets without end": "[[[",
    "a closing bracket too many": "1]",
    "a byte order mark": "\ufeff1",
}
"""Texts in the place of a value: stored, they would break every client that reads them."""

MALFORMED_FRAMES = {
    "nothing": "",
    "blanks": "  ",
    "null": "null",
    "a number": "1",
    "a string": '"get"',
    "one operation without an array": '{"id":1,"op":"get","key":"k"}',
    "an array of a number": "[1]",
    "an array of null": "[null]",
    "an array in an array": '[[{"id":1,"op":"get","key":"k"}]]',
    "an empty object": "[{}]",
    "no end": '[{"id":1,"op":"get","key":"k"}',
    "something behind the end": '[{"id":1,"op":"get","key":"k"}] []',
    "a byte order mark": '\ufeff[{"id":1,"op":"get","key":"k"}]',
    "no id": '[{"op":"get","key":"k"}]',
    "a string as id": '[{"id":"1","op":"get","key":"k"}]',
    "null as id": '[{"id":null,"op":"get","key":"k"}]',
    "true as id": '[{"id":true,"op":"get","key":"k"}]',
    "id -1": '[{"id":-1,"op":"get","key":"k"}]',
    "id 2^53": f'[{{"id":{2**53},"op":"get","key":"k"}}]',
    "id 1.5": '[{"id":1.5,"op":"get","key":"k"}]',
    "id 1e400": '[{"id":1e400,"op":"get","key":"k"}]',
    "100,000 brackets": "[" * 100_000,
    "one bad id among good ones": '[{"id":1,"op":"get","key":"k"},{"op":"get","key":"k"}]',
}

REQUEST_IDS = {
    "empty": '""',
    "129 letters": f'"{"r" * 129}"',
    "a number": "1",
    "an umlaut": '"\u00e4"',
    "NUL": r'"\u0000"',
    "half a character": r'"\ud83d"',
}

UNKNOWN_OPERATIONS = {
    "an unknown operation": '"op":"getAll","key":"k"',
    "an operation without a name": '"op":"","key":"k"',
    "a name in another case": '"op":"GET","key":"k"',
    "an operation of the server's own": '"op":"getMore","key":"k","after":0,"end":1',
}

INVALID = [
    ("", "a number as shard", "shard", '"op":"get","key":"k","shard":1'),
    ("B84", "ttlMs 1e400", "ttlMs", '"op":"set","key":"k","value":1,"ttlMs":1e400'),
    ("B84", "a lock without ttlMs", "ttlMs", '"op":"acquireLock","threadId":"t"'),
    ("B85", "no token", "token", '"op":"releaseLock","threadId":"t"'),
    ("B86", "no key", "key", '"op":"get"'),
    ("B86", "no thread id", "threadId", '"op":"subscribe"'),
    ("B86", "a thread id in place of a key", "key", '"op":"get","threadId":"k"'),
    ("B87", "no value", "value", '"op":"set","key":"k"'),
    ("B87", "a value 513 deep", "value", f'"op":"set","key":"k","value":{"[" * 513}{"]" * 513}'),
    (
        *("B87", "a value 900 deep", "value"),
        f'"op":"set","key":"k","value":{"[" * 900}{"]" * 900}',
    ),
    (
        *("B87", "a value 1,000 deep", "value"),
        f'"op":"set","key":"k","value":{"[" * 1_000}{"]" * 1_000}',
    ),
    (
        *("B87", "a value 100,000 deep", "value"),
        f'"op":"set","key":"k","value":{"[" * 100_000}{"]" * 100_000}',
    ),
    (
        *("B89", "no message", "message"),
        '"op":"enqueue","threadId":"t","enqueuedAt":1,"expiresAt":2',
    ),
    (
        *("B89", "sentAt is a string", "sentAt"),
        '"op":"enqueue","threadId":"t","message":1,"enqueuedAt":1,"expiresAt":2,"sentAt":"1"',
    ),
]

ROWS = [
    *(Frame("", what, text, MALFORMED) for what, text in MALFORMED_FRAMES.items()),
    *(
        Frame("B87", what, f'[{{"id":1,"op":"set","key":"k","value":{text}}}]', MALFORMED)
        for what, text in NOT_JSON.items()
    ),
    Frame("", "1,001 operations", f"[{','.join([GET] * 1_001)}]", (Told(None, "too_large"),)),
    *(
        _refused("", what, "unknown_operation", operation)
        for what, operation in UNKNOWN_OPERATIONS.items()
    ),
    *(
        _refused(
            *("", f"the unknown shard {shard}", "unknown_shard"),
            f'"op":"get","key":"k","shard":"{shard}"',
            field="shard",
        )
        for shard in ("elsewhere", "", r"\u0000", r"\ud83d")
    ),
    *(
        _refused(id, what, "invalid", operation, field=field)
        for id, what, field, operation in INVALID
    ),
    *(
        _refused(
            *("", f"requestId is {what}", "invalid"),
            f'"op":"dequeue","threadId":"t","requestId":{text}',
            field="requestId",
        )
        for what, text in REQUEST_IDS.items()
    ),
]

FIRST_FRAMES = {
    "nothing": ("", "malformed"),
    "half an object": ("{", "malformed"),
    "an empty object": ("{}", "unauthorized"),
    "an array": ("[]", "unauthorized"),
    "null": ("null", "unauthorized"),
    "operations": ('[{"id":1,"op":"get","key":"k"}]', "unauthorized"),
    "a number as token": ('{"token":1}', "unauthorized"),
    "null as token": ('{"token":null}', "unauthorized"),
    "an empty token": ('{"token":""}', "unauthorized"),
    "an unknown token": ('{"token":"chat_unknown"}', "unauthorized"),
    "NUL in a token": (r'{"token":"chat_\u0000"}', "unauthorized"),
    "half a character in a token": (r'{"token":"chat_\ud83d"}', "unauthorized"),
    "a token of a megabyte": (f'{{"token":"{"x" * 1_000_000}"}}', "unauthorized"),
}
"""First frames, and the code of the error behind which the socket is closed."""
