"""B41 to B55: JSON and the envelope of a message. None of these writes anything."""

from tests.bad_inputs.answers import DEFECT, DIE, NOTHING, PULLED, REFUSED, kinds, status
from tests.bad_inputs.messages import (
    CANARY,
    EOF,
    GROUP,
    OTHER_GROUP,
    PING,
    PULL,
    ack,
    event,
    interrupt,
    members,
    pull,
    pull_payload,
    push,
    request,
)
from tests.bad_inputs.rows import Row

_PING_WITH = '{"_tag":"Ping","x":%s}'
_UTF16 = ("utf-16", "utf-16-le", "utf-16-be")
_DEEP = "[" * 100_000 + "]" * 100_000

ROWS = [
    Row("B41", "interrupt of an unknown id", interrupt('"99"'), NOTHING),
    Row("B41", "ack of an unknown id", ack('"99"'), NOTHING),
    Row("B41", "interrupt of an unknown number", interrupt("99"), NOTHING),
    Row("B41", "eof", EOF, NOTHING),
    Row("B41", "two messages in one frame", f"[{PING},{pull()}]", kinds("Pong", *PULLED.kinds)),
    #
    Row("B42", "nothing", "", DEFECT),
    Row("B42", "blanks", " \t\r\n", DEFECT),
    Row("B42", "half an object", "{", DEFECT),
    Row("B42", "an object and more", f"{PING}x", DEFECT),
    Row("B42", "two objects", f"{PING}{PING}", DEFECT),
    Row("B42", "a quote", "'", DEFECT),
    Row("B42", "single quotes", "{'_tag':'Ping'}", DEFECT),
    Row("B42", "byte order mark", f"\ufeff{PING}", DEFECT),
    *[Row("B42", encoding, PING.encode(encoding), DEFECT) for encoding in _UTF16],
    Row("B42", "trailing comma", '{"_tag":"Ping",}', DEFECT),
    Row("B42", "comment", '{"_tag":"Ping"/* hello */}', DEFECT),
    Row("B42", "raw control character", _PING_WITH % '"a\x01b"', DEFECT),
    Row("B42", "raw line break", _PING_WITH % '"a\nb"', DEFECT),
    Row("B42", "raw control character in args", push(event(args='"a\x1eb"')), DEFECT),
    Row("B42", "raw control character in a key of args", push(event(args='{"a\x01":1}')), DEFECT),
    Row("B42", "unknown escape in args", push(event(args=r'"\q"')), DEFECT),
    Row("B42", "half an escape in args", push(event(args=r'"\u12"')), DEFECT),
    Row("B42", "leading zero in args", push(event(args="01")), DEFECT),
    Row("B42", "number without digits behind the point in args", push(event(args="1.")), DEFECT),
    Row("B42", "form feed as blank in args", push(event(args="\x0c1")), DEFECT),
    Row("B42", "invalid UTF-8", b'{"_tag":"\xff"}', DEFECT),
    #
    Row("B43", "NaN", _PING_WITH % "NaN", DEFECT),
    Row("B43", "Infinity", _PING_WITH % "Infinity", DEFECT),
    Row("B43", "NaN in args", push(event(args='{"a":NaN}')), DEFECT),
    Row("B43", "-Infinity in args", push(event(args="[-Infinity]")), DEFECT),
    Row("B43", "NaN as number", push(event("NaN")), DEFECT),
    #
    Row("B46", "1 MiB of opening brackets", "[" * 1_048_576, DEFECT),
    Row("B46", "args 100,000 deep", push(event(args=_DEEP)), DEFECT),
    Row(
        "B46",
        "objects 100,000 deep",
        push(event(args='{"":' * 100_000 + "1" + "}" * 100_000)),
        DEFECT,
    ),
    Row("B46", "envelope 100,000 deep", _PING_WITH % _DEEP, DEFECT),
    Row("B46", "array of 100,000 arrays in each other", _DEEP, DEFECT),
    Row("B46", "args 513 deep", push(event(args="[" * 513 + "]" * 513)), REFUSED),
    Row(
        "B46",
        "args 513 deep with a lone surrogate",
        push(event(args="[" * 513 + r'"\ud83d"' + "]" * 513)),
        REFUSED,
    ),
    #
    Row("B50", "unknown _tag", '{"_tag":"Foo"}', DEFECT),
    Row("B50", "unknown _tag with an id", '{"_tag":"Foo","id":"7"}', DIE),
    Row("B50", "unknown _tag with an id that is none", '{"_tag":"Foo","id":"x"}', DEFECT),
    Row("B50", "no _tag", '{"id":"7"}', DEFECT),
    Row("B50", "_tag a number", '{"_tag":7,"id":"7"}', DEFECT),
    Row("B50", "unknown procedure", request(f"{GROUP}.Foo", "{}"), DIE),
    Row(
        "B50",
        "unknown procedure, numeric id",
        request(f"{GROUP}.Foo", "{}", id="7"),
        DIE,
        request_id=7,
    ),
    Row("B50", "procedure of the other transport", request(f"{OTHER_GROUP}.Pull", "{}"), DIE),
    Row("B50", "procedure of the third transport", request("SyncDoRpc.Pull", "{}"), DIE),
    Row("B50", "admin procedure", request(f"{GROUP}.AdminResetRoom", "{}"), DIE),
    Row("B50", "no procedure", request("", "{}"), DIE),
    Row("B50", "procedure missing", request(PULL, "{}", tag=None), DIE),
    Row("B50", "procedure a number", request(PULL, "{}", tag="7"), DIE),
    Row("B50", "procedure of 500 kB", request("x" * 500_000, "{}"), DIE),
    #
    *[
        Row("B51", f"id {what}", pull(id=id), DEFECT)
        for what, id in {
            "missing": None,
            "negative text": '"-3"',
            "negative": "-3",
            "hexadecimal": '"0x10"',
            "with blanks": '" 7 "',
            "letters": '"abc"',
            "empty": '""',
            "other digits": '"\u0667"',
            "of 21 digits": f'"{"9" * 21}"',
            "2^53": str(2**53),
            "1e400": "1e400",
            "of a million digits": f'"{"9" * 1_000_000}"',
            "a fraction": "1.5",
            "null": "null",
            "true": "true",
            "an object": "{}",
        }.items()
    ],
    *[
        Row("B51", f"frame {frame}", frame, DEFECT)
        for frame in ("null", "7", '"x"', "true", "[]]", "[null]", "[[]]", "{}")
    ],
    *[
        Row(
            "B51",
            f"{tag} with requestId {request_id}",
            members({"_tag": f'"{tag}"', "requestId": request_id}),
            DEFECT,
        )
        for tag in ("Ack", "Interrupt")
        for request_id in (None, '"abc"', "null", "-1", "{}", '""')
    ],
    #
    Row("B51b", "pull with a numeric id", pull(id="7"), PULLED, request_id=7),
    Row("B51b", "numeric id with a fraction of nothing", pull(id="7.0"), PULLED, request_id=7),
    Row("B51b", "payload missing", request(PULL, None), DIE),
    Row("B51b", "payload missing, numeric id", request(PULL, None, id="7"), DIE, request_id=7),
    *[
        Row("B51b", f"payload {payload}", request(PULL, payload), DIE)
        for payload in ('"x"', "null", "[]", "7", "{}", "true")
    ],
    #
    Row(
        "B53",
        "garbage beside the request",
        request(
            PULL,
            pull_payload(),
            traceId="{}",
            spanId='"\\ud83d\\u0000"',
            sampled='"maybe"',
            headers=f'[["authorization","{CANARY}"],7,null,{{"a":[]}}]',
        ),
        PULLED,
    ),
    #
    Row("B55", "array of 16 messages", f"[{','.join([PING] * 16)}]", kinds(*["Pong"] * 16)),
    Row("B55", "array of 17 messages", f"[{','.join([PING] * 17)}]", DEFECT, status(400)),
    Row("B55", "array of 1,000 messages", f"[{','.join([PING] * 1_000)}]", DEFECT, status(400)),
    Row("B55", "array of none", "[]", NOTHING),
    Row(
        "B55",
        "array with one that cannot be read",
        f"[{PING},7,{PING}]",
        kinds("Pong", "Defect", "Pong"),
    ),
]
