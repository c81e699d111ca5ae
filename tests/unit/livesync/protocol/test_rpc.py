"""Envelopes in both dialects: text ids of Effect 3, numeric ids of Effect 4."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from livesync.protocol import rpc
from livesync.protocol.errors import LimitError, ServerAheadError
from livesync.protocol.rpc import (
    Ack,
    Eof,
    Interrupt,
    Malformed,
    Message,
    Ping,
    Request,
    RequestId,
    TooMany,
)

REQUEST = '{"_tag":"Request","id":"7","tag":"SyncWsRpc.Pull","payload":{"a": 1},"headers":[]}'


def read_one(frame: str) -> Message:
    (message,) = rpc.read_messages(frame)
    return message


def test_a_request_keeps_its_payload_as_text() -> None:
    message = read_one(REQUEST)

    assert isinstance(message, Request)
    assert (message.request_id, message.tag) == ("7", "SyncWsRpc.Pull")
    assert message.payload is not None
    assert bytes(message.payload) == b'{"a": 1}'


@pytest.mark.parametrize("member", ["headers", "traceId", "spanId", "sampled", "payload"])
def test_a_request_needs_neither_headers_nor_a_trace(member: str) -> None:
    members = json.loads(REQUEST) | {"traceId": "5c", "spanId": "ad", "sampled": True}
    del members[member]

    assert isinstance(read_one(json.dumps(members)), Request)


@pytest.mark.parametrize("garbage", [None, 1, "x", [["a"]], {"a": []}])
def test_headers_and_traces_are_never_looked_at(garbage: Any) -> None:
    members = json.loads(REQUEST)
    members |= dict.fromkeys(["headers", "traceId", "spanId", "sampled", "zzz"], garbage)

    assert isinstance(read_one(json.dumps(members)), Request)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ('{"_tag":"Ping"}', Ping()),
        ('{ "_tag": "Ping" }', Ping()),
        ('{"_tag":"Ping","x":1}', Ping()),
        ('{"_tag":"Eof"}', Eof()),
        ('{"_tag":"Ack","requestId":"5"}', Ack("5")),
        ('{"_tag":"Ack","requestId":5}', Ack(5)),
        ('{"_tag":"Interrupt","requestId":"5","interruptors":[]}', Interrupt("5")),
        ('{"_tag":"Interrupt","requestId":0}', Interrupt(0)),
    ],
)
def test_the_small_messages(frame: str, message: Message) -> None:
    assert read_one(frame) == message


@pytest.mark.parametrize("request_id", ["0", "007", "9" * 20, 0, 7, 2**53 - 1])
def test_an_id_is_text_of_digits_or_a_number_and_stays_what_it_was(request_id: RequestId) -> None:
    members = json.loads(REQUEST) | {"id": request_id}

    message = read_one(json.dumps(members))

    assert isinstance(message, Request)
    assert message.request_id == request_id
    assert type(message.request_id) is type(request_id)


@pytest.mark.parametrize(
    "request_id",
    ["", "abc", "0x10", "-3", " 7 ", "٣", "9" * 21, "\ud83d", -1, 2**53, 1.5, True, None, [], {}],
)
@pytest.mark.parametrize("tag", ["Request", "Ack", "Interrupt"])
def test_without_a_usable_id_nobody_can_be_answered(request_id: Any, tag: str) -> None:
    members = json.loads(REQUEST) | {"_tag": tag, "id": request_id, "requestId": request_id}

    assert isinstance(read_one(json.dumps(members)), Malformed)


@pytest.mark.parametrize("tag", ["Request", "Ack", "Interrupt"])
def test_a_missing_id_is_no_usable_id(tag: str) -> None:
    message = read_one(json.dumps({"_tag": tag, "tag": "SyncWsRpc.Pull", "payload": {}}))

    assert isinstance(message, Malformed)
    assert "without a usable" in message.reason


@pytest.mark.parametrize("tag", [None, 1, [], {"a": 1}])
def test_a_procedure_that_is_no_text_is_one_that_nobody_knows(tag: Any) -> None:
    message = read_one(json.dumps(json.loads(REQUEST) | {"tag": tag}))

    assert message == Request("7", "", Raw(b'{"a": 1}'))


@pytest.mark.parametrize(
    "frame",
    ["", "hello", "{", "{}x", "'", "null", "5", '"Ping"', "{}", '{"_tag":1}', '{"_tag":"Foo"}',
     '\ufeff{"_tag":"Ping"}', '{"_tag":"Ping",}', '{"_tag":"Ping"} // a comment',
     '{"_tag":"Ping","x":"\x01"}', '{"_tag":"Ping","x":NaN}', '{"_tag":"Ping","x":-Infinity}',
     "[" * 100_000, '{"_tag":"Request","id":"1","payload":' * 50_000],
    ids=lambda frame: frame[:30] or "nothing",
)  # fmt: skip
def test_what_is_no_message_is_answered_with_a_defect(frame: str) -> None:
    message = read_one(frame)

    assert isinstance(message, Malformed)
    assert len(message.reason) < 300
    json.loads(rpc.defect(message.reason))


def test_an_unknown_tag_is_not_repeated_at_length() -> None:
    message = read_one(json.dumps({"_tag": "x" * 100_000}))

    assert message == Malformed("Unknown request tag: " + "x" * 128)


def test_the_messages_of_an_array_come_in_its_order() -> None:
    frame = f' [{{"_tag":"Ping"}},{REQUEST},5,{{"_tag":"Ack","requestId":"7"}}]'

    ping, request, malformed, ack = rpc.read_messages(frame)

    assert (ping, ack) == (Ping(), Ack("7"))
    assert isinstance(request, Request)
    assert isinstance(malformed, Malformed)


def test_an_array_holds_sixteen_messages_at_most() -> None:
    ping = '{"_tag":"Ping"}'

    assert rpc.read_messages("[]") == []
    assert rpc.read_messages(f"[{','.join([ping] * 16)}]") == [Ping()] * 16
    (refusal,) = rpc.read_messages(f"[{','.join([ping] * 17)}]")
    assert refusal == TooMany(17)
    assert refusal.reason == "17 messages in one array, at most 16"


def test_a_broken_array_is_one_malformed_message() -> None:
    assert isinstance(read_one('[{"_tag":"Ping"},'), Malformed)


@given(st.text(max_size=60))
def test_no_frame_whatever_raises(frame: str) -> None:
    rpc.read_messages(frame)
    rpc.read_messages(f'{{"_tag":"Request","id":"1","tag":"{frame}","payload":{frame}}}')


def both_dialects(text: str) -> tuple[Any, Any]:
    """The frame for id "7", and the one for id 7; ``text`` names the encoder."""
    encode = {
        "success": lambda i: rpc.exit_success(i),
        "value": lambda i: rpc.exit_success(i, "{}"),
        "fail": lambda i: rpc.exit_fail(i, ServerAheadError(expected=3, provided=1)),
        "die": lambda i: rpc.exit_die(i, "why"),
        "interrupted": lambda i: rpc.exit_interrupted(i),
    }[text]
    effect_3, effect_4 = json.loads(encode("7")), json.loads(encode(7))
    assert effect_3 | {"exit": None} == {"_tag": "Exit", "requestId": "7", "exit": None}
    assert effect_4 | {"exit": None} == {"_tag": "Exit", "requestId": 7, "exit": None}
    return effect_3["exit"], effect_4["exit"]


def test_the_good_end_of_a_pull() -> None:
    assert both_dialects("success") == (
        {"_tag": "Success"},
        {"_tag": "Success", "value": None},
    )


def test_the_good_end_of_a_push() -> None:
    assert both_dialects("value") == ({"_tag": "Success", "value": {}},) * 2


@pytest.mark.parametrize(
    ("encoder", "cause"),
    [
        (
            "fail",
            {
                "_tag": "Fail",
                "error": {"_tag": "ServerAheadError", "minimumExpectedNum": 3, "providedNum": 1},
            },
        ),
        ("die", {"_tag": "Die", "defect": "why"}),
    ],
)
def test_a_cause_is_alone_in_one_dialect_and_listed_in_the_other(
    encoder: str, cause: dict[str, Any]
) -> None:
    assert both_dialects(encoder) == (
        {"_tag": "Failure", "cause": cause},
        {"_tag": "Failure", "cause": [cause]},
    )


def test_an_interruption_names_no_fiber() -> None:
    effect_3, effect_4 = both_dialects("interrupted")

    assert effect_3["cause"] == {"_tag": "Interrupt", "fiberId": {"_tag": "None"}}
    assert effect_4["cause"] == [{"_tag": "Interrupt", "fiberId": -1}]


@pytest.mark.parametrize("request_id", ["7", 7])
def test_a_chunk_holds_its_values(request_id: RequestId) -> None:
    frame = rpc.chunk(request_id, '{"a":1}')

    assert json.loads(frame) == {"_tag": "Chunk", "requestId": request_id, "values": [{"a": 1}]}
    assert rpc.chunk_head(request_id) + '{"a":1}' + rpc.CHUNK_TAIL == frame


def test_a_defect_and_a_pong() -> None:
    assert json.loads(rpc.defect("why")) == {"_tag": "Defect", "defect": "why"}
    assert json.loads(rpc.PONG) == {"_tag": "Pong"}


def test_an_answer_can_carry_what_utf_8_cannot() -> None:
    for frame in (
        rpc.defect("\ud83d"),
        rpc.exit_die("1", "\ud83d"),
        rpc.exit_fail("1", LimitError("\ud83d")),
    ):
        assert "\ud83d" in json.dumps(json.loads(frame.encode()), ensure_ascii=False)
