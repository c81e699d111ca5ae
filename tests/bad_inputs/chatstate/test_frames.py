"""Frames over a bot's socket: each gets its answer, stores nothing, and the socket goes on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bad_inputs.chatstate.chat_socket import ChatSocket
from tests.bad_inputs.chatstate.frame_rows import FIRST_FRAMES, ROWS, Frame, Told
from tests.bad_inputs.raw_websocket import BINARY, frame_bytes
from tests.bad_inputs.site_under_test import SiteUnderTest
from tests.chat_conformance.subjects.sites import Tokens

POLICY, TOO_BIG = 1008, 1009
MAX_FRAME_BYTES = 1_048_576

READ_ONLY_TOKEN = """
from chatstate.services.tokens import create_token
print(create_token("read-only", rights=("read",)))
"""


@pytest.fixture
def socket(site: SiteUnderTest, tokens: Tokens) -> Iterator[ChatSocket]:
    """A socket of a namespace that nobody else uses."""
    _, token = tokens.take()
    with ChatSocket(site.port, token) as socket:
        yield socket


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.id}: {row.what}") for row in ROWS])
def test_a_frame_is_refused_by_code_and_field(socket: ChatSocket, row: Frame) -> None:
    answers = socket.exchange(row.text)

    assert [told(answer) for answer in answers] == list(row.told)
    assert all(len(answer["error"]["message"]) < 300 for answer in answers)
    check_goes_on(socket)


@pytest.mark.parametrize(("first", "code"), FIRST_FRAMES.values(), ids=list(FIRST_FRAMES))
def test_who_does_not_say_who_it_is_is_sent_away(
    site: SiteUnderTest, first: str, code: str
) -> None:
    with ChatSocket(site.port, None) as socket:
        socket.send_text(first)

        assert told(socket.receive_json()) == Told(None, code)
        assert socket.receive_close().close_code == POLICY


def test_a_refused_operation_harms_none_of_its_frame(socket: ChatSocket) -> None:
    frame = [
        {"id": 1, "op": "set", "key": "a", "value": 1},
        {"id": 2, "op": "set", "key": "", "value": 2},
        {"id": 3, "op": "nothing"},
        {"id": 4, "op": "acquireLock", "threadId": "t"},
        {"id": 5, "op": "get", "key": "a"},
    ]

    answers = {answer["id"]: answer for answer in socket.exchange(json.dumps(frame))}

    assert answers[1]["value"] is None
    assert [told(answers[id]) for id in (2, 3, 4)] == [
        Told(2, "invalid", "key"),
        Told(3, "unknown_operation"),
        Told(4, "invalid", "ttlMs"),
    ]
    assert answers[5]["value"] == 1


def test_unknown_members_are_ignored_and_null_is_left_out(socket: ChatSocket) -> None:
    members: dict[str, Any] = {"ttlMs": None, "shard": None, "more": {"a": [1]}, "key ": 1}
    assert socket.do("set", key="k", value=1, **members) == {"id": 1, "value": None}
    assert socket.do("get", key="k")["value"] == 1


def test_of_two_members_of_one_name_the_last_counts(socket: ChatSocket) -> None:
    text = '[{"id":1,"op":"set","key":"first","value":1,"key":"last","value":2}]'
    assert socket.exchange(text) == [{"id": 1, "value": None}]
    assert [socket.do("get", key=key)["value"] for key in ("first", "last")] == [None, 2]


@pytest.mark.parametrize("id", ["0", "1.0", "1e2", str(2**53 - 1)])
def test_an_id_is_any_whole_number_from_0(socket: ChatSocket, id: str) -> None:
    (answer,) = socket.exchange(f'[{{"id":{id},"op":"get","key":"k"}}]')
    assert answer == {"id": json.loads(id), "value": None}


def test_bytes_that_are_no_text_are_malformed(socket: ChatSocket) -> None:
    socket.send(frame_bytes(b'[{"id":1,"op":"get","key":"\xff"}]', opcode=BINARY))

    assert [told(answer) for answer in socket.answers()] == [Told(None, "malformed")]
    check_goes_on(socket)


def test_b87_a_frame_of_two_megabytes_ends_its_socket_and_no_other(
    site: SiteUnderTest, socket: ChatSocket, tokens: Tokens
) -> None:
    _, token = tokens.take()
    with ChatSocket(site.port, token) as large:
        value = "x" * (2 * MAX_FRAME_BYTES)
        large.send_text(f'[{{"id":1,"op":"set","key":"k","value":"{value}"}}]')
        assert large.receive_close().close_code == TOO_BIG
    with ChatSocket(site.port, token) as again:
        assert again.do("get", key="k")["value"] is None
    check_goes_on(socket)


def test_the_largest_frame_is_taken(socket: ChatSocket) -> None:
    start, end = '[{"id":1,"op":"get","key":"k"', "}]"
    blanks = " " * (MAX_FRAME_BYTES - len(start) - len(end))

    assert socket.exchange(f"{start}{blanks}{end}") == [{"id": 1, "value": None}]


def test_one_request_id_is_of_one_operation(socket: ChatSocket) -> None:
    first = socket.do("setIfNotExists", key="k", value=1, requestId="r")
    again = socket.do("setIfNotExists", key="k", value=1, requestId="r")
    other = [
        socket.do("setIfNotExists", key="k", value=2, requestId="r"),
        socket.do("setIfNotExists", key="other", value=1, requestId="r"),
        socket.do("dequeue", threadId="k", requestId="r"),
        socket.do("appendToList", key="k", value=1, requestId="r"),
    ]

    assert first == again == {"id": 1, "value": True}
    assert [told(answer) for answer in other] == [Told(1, "conflict", "requestId")] * 4
    assert socket.do("get", key="k")["value"] == 1
    assert socket.do("get", key="other")["value"] is None
    assert socket.do("getList", key="k")["items"] == []


def test_one_request_id_twice_in_a_frame_is_done_once(socket: ChatSocket) -> None:
    append = {"op": "appendToList", "key": "k", "value": 1, "requestId": "r"}
    frame = [{"id": number, **append} for number in range(3)]

    answers = socket.exchange(json.dumps(frame))

    assert sorted(answer["id"] for answer in answers) == [0, 1, 2]
    assert all(answer["value"] is None for answer in answers)
    assert socket.do("getList", key="k")["items"] == [1]


def test_a_token_to_read_with_writes_nothing(site: SiteUnderTest) -> None:
    token = site.process.manage("shell", "--no-imports", "-c", READ_ONLY_TOKEN).strip()
    entry: dict[str, Any] = {"message": 1, "enqueuedAt": 1, "expiresAt": 4_102_444_800_000}
    with ChatSocket(site.port, token) as socket:
        assert socket.greeting["rights"] == ["read"]
        refused = [
            socket.do("subscribe", threadId="t"),
            socket.do("unsubscribe", threadId="t"),
            socket.do("acquireLock", threadId="t", ttlMs=1_000, requestId="1"),
            socket.do("extendLock", threadId="t", token="t", ttlMs=1_000),
            socket.do("releaseLock", threadId="t", token="t"),
            socket.do("forceReleaseLock", threadId="t"),
            socket.do("set", key="k", value=1),
            socket.do("setIfNotExists", key="k", value=1, requestId="2"),
            socket.do("delete", key="k"),
            socket.do("appendToList", key="k", value=1, requestId="3"),
            socket.do("enqueue", threadId="t", **entry, requestId="4"),
            socket.do("dequeue", threadId="t", requestId="5"),
        ]

        assert [told(answer) for answer in refused] == [Told(1, "forbidden")] * len(refused)
        assert socket.do("isSubscribed", threadId="t")["value"] is False
        assert socket.do("get", key="k")["value"] is None
        assert socket.do("getList", key="k")["items"] == []
        assert socket.do("queueDepth", threadId="t")["value"] == 0


def told(answer: dict[str, Any]) -> Told:
    """An error, reduced to what the tables speak of."""
    error = answer["error"]
    assert isinstance(error["message"], str)
    return Told(answer.get("id"), error["code"], error.get("field"))


def check_goes_on(socket: ChatSocket) -> None:
    """Check that nothing is stored under the names of the rows, and that something can be."""
    assert socket.do("get", key="k")["value"] is None
    assert socket.do("queueDepth", threadId="t")["value"] == 0
    assert socket.do("set", key="k", value=1)["value"] is None
    assert socket.do("get", key="k")["value"] == 1
