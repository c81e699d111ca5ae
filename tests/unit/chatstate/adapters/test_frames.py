import json
from typing import Any

import pytest
from msgspec import Raw

from chatstate.adapters import frames
from chatstate.adapters.frames import Answer, NotProtocolError, Received, Welcome
from chatstate.protocol import errors
from chatstate.protocol.errors import ChatstateError
from chatstate.protocol.messages import failure, read_operations, refusal
from chatstate.protocol.operations import Enqueue, Get, Operation, Set

OPERATIONS = [
    Get(id=1, key="key"),
    Get(id=2, key="a\ud83d\x00"),
    Set(id=3, key="a\ud83d", value=Raw(b'{"b":1,"a":"\\ud83d"}'), ttl_ms=1.5, shard="eu"),
    Enqueue(
        id=4,
        thread_id="\udc00",
        message=Raw(b"null"),
        enqueued_at=1,
        expires_at=2,
        max_size=3,
        request_id="r",
    ),
]
ERRORS = [
    errors.MalformedError("what"),
    errors.InvalidError("ttlMs", "must be a number"),
    errors.UnknownOperationError("fly"),
    errors.UnknownShardError("\ud83d"),
    errors.UnauthorizedError(),
    errors.ForbiddenError("write"),
    errors.ConflictError(),
    errors.TooLargeError("value", limit=9, unit="bytes", field="value"),
    errors.BusyError(),
    errors.FrozenError("eu"),
    errors.UnavailableError(),
    errors.InternalError(),
]


def read(value: Any) -> Received:
    return frames.read(json.dumps(value).encode())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_server_reads_what_is_written(operation: Operation) -> None:
    frame = frames.frame([frames.write(operation), frames.write(OPERATIONS[0])])

    assert read_operations(frame.decode(), max_operations=2) == [operation, OPERATIONS[0]]


def test_answers_keep_their_json() -> None:
    data = b'[{"id":1,"value":{"b":1.0,"a":2}},{"id":2,"value":null},{"id":3,"value":true}]'

    assert frames.read(data) == [
        Answer(1, Raw(b'{"b":1.0,"a":2}')),
        Answer(2, Raw(b"null")),
        Answer(3, Raw(b"true")),
    ]


def test_a_piece_of_a_list_is_one() -> None:
    answers = read([{"id": 1, "items": [1, "a"], "more": True}, {"id": 1, "items": []}])

    assert answers == [
        Answer(1, items=[Raw(b"1"), Raw(b'"a"')], more=True),
        Answer(1, items=[], more=False),
    ]


def test_half_of_a_character_spoils_no_frame() -> None:
    items = [f"\ud83d{number}" for number in range(500)]

    first, second = read([{"id": 1, "value": "\udc00"}, {"id": 2, "items": items, "more": True}])

    assert json.loads(bytes(first.value)) == "\udc00"
    assert [json.loads(bytes(item)) for item in second.items] == items
    assert second.more is True


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_an_error_is_of_the_servers_own_class(error: ChatstateError) -> None:
    (answer,) = frames.read(f"[{refusal(7, error)}]".encode())
    alone = frames.read(failure(error).encode())

    for told in (answer.error, alone):
        assert type(told) is type(error)
        assert str(told) == str(error)
        assert (told.code, told.field) == (error.code, error.field)
    assert answer.id == 7


def test_an_error_of_a_newer_server_tells_its_code() -> None:
    error = read({"error": {"code": "tired", "message": "later"}})

    assert type(error) is ChatstateError
    assert str(error) == "tired: later"


def test_a_welcome_tells_the_limits() -> None:
    welcome = read({"namespace": "bot", "rights": ["read"], "maxFrameBytes": 9, "maxOperations": 3})

    assert welcome == Welcome(namespace="bot", max_frame_bytes=9, max_operations=3)


@pytest.mark.parametrize(
    "data",
    [b"", b"[", b"1", b"{}", b'[{"value":1}]', b'[{"id":"a"}]', b"[1]", b'{"error":1}', b"\xff"],
)
def test_anything_else_is_not_the_protocol(data: bytes) -> None:
    with pytest.raises(NotProtocolError):
        frames.read(data)
