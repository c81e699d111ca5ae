"""B73 and B79 to B82: pulls from a store whose head is 2. None of these writes anything."""

from tests.bad_inputs.answers import DIE, PULLED, REFUSED, kinds
from tests.bad_inputs.messages import cursor, pull, some
from tests.bad_inputs.rows import Row

MISMATCH = kinds("BackendIdMismatchError")

ROWS = [
    Row("B73", "another history", pull(cursor=cursor(0, '"other"')), MISMATCH),
    Row("B73", "another history, live", pull(cursor=cursor(0, '"other"'), live="true"), MISMATCH),
    Row("B74", "backendId empty", pull(cursor=cursor(0, '""')), REFUSED),
    Row("B74", "backendId of 1 MB", pull(cursor=cursor(0, f'"{"x" * 1_000_000}"')), REFUSED),
    Row("B74", "backendId null", pull(cursor=cursor(0, "null")), DIE),
    #
    Row("B79", "cursor -1", pull(cursor=cursor(-1)), REFUSED),
    Row("B79", "cursor above the head", pull(cursor=cursor(9)), PULLED),
    Row("B79", "cursor 2^53 - 1", pull(cursor=cursor(2**53 - 1)), PULLED),
    *[
        Row("B79", f"cursor {number[:20]}", pull(cursor=cursor(number)), DIE)
        for number in ("1.5", str(2**53), str(-(2**53)), "1e308", '"1"', "true", "null", "[]")
    ],
    #
    Row("B80", "None with a value", pull(cursor='{"_tag":"None","value":{"x":[1]}}'), PULLED),
    *[
        Row("B80", f"cursor {option}", pull(cursor=option), DIE)
        for option in (
            *(None, "null", '"None"', "[]", "{}", "0", '{"_tag":"Foo"}', '{"_tag":"Some"}'),
            *('{"_tag":null}', some("null"), some("{}"), some('{"backendId":"x"}')),
        )
    ],
]

SOCKET_ROWS = [
    *[
        Row("B82", f"live {live}", pull(live=live), DIE)
        for live in ('"yes"', '"true"', "1", "0", "null", "[]", None)
    ],
]
