"""What a server writes is what a client reads, and nothing else is taken for an answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from groundwork.strict_json import JsonError
from livesync.protocol import answers, rpc
from livesync.protocol.answers import Chunk, Defect, Exit, Pong, PulledEvent, PulledPage
from livesync.protocol.errors import (
    BackendIdMismatchError,
    LimitError,
    LivesyncError,
    RemoteError,
    ServerAheadError,
    StorageUnavailableError,
    StoreArrivingError,
    StoreHeldError,
)
from livesync.protocol.events import Cursor
from livesync.protocol.pages import encode_event, encode_page
from livesync.protocol.rpc import RequestId
from tests import vectors
from tests.factories import make_event

BACKEND = "V1StGXR8_Z5jdHi6B-myT"
NOW = "2026-01-31T12:00:00.000Z"


def page(**fields: Any) -> str:
    event = make_event(7, **fields)
    return encode_page([encode_event(event, NOW)], remaining=3, backend_id=BACKEND)


def read_page(text: str) -> PulledPage:
    (found,) = answers.read_pages(Raw(f"[{text}]".encode()))
    return found


def error_in(frame: str) -> Any:
    answer = answers.read_answer(frame.encode())
    assert isinstance(answer, Exit)
    return answer.error


@pytest.mark.parametrize("args", ['{"b": 1.0,\n"a": "\\ud83d \\u0000 👋🏽"}', "null", None])
def test_a_page_keeps_args_to_the_letter(args: str | None) -> None:
    found = read_page(page(args=args, name="Grüße"))

    assert (found.backend_id, found.remaining) == (BACKEND, 3)
    assert found.events == [PulledEvent("Grüße", args, 7, 6, "client-1", "session-1", BACKEND, NOW)]


def test_args_are_parsed_when_they_are_asked_for() -> None:
    (event,) = read_page(page(args='{"n": 1.0, "s": "\\ud83d"}')).events
    (without,) = read_page(page(args=None)).events

    assert event.parsed_args == {"n": 1.0, "s": "\ud83d"}
    assert without.parsed_args is None
    assert event.cursor == Cursor(BACKEND, 7)


@pytest.mark.parametrize(
    ("info", "remaining"),
    [({"_tag": "NoMore"}, 0), ({"_tag": "MoreUnknown"}, None)],
)
def test_what_follows_a_page(info: Any, remaining: int | None) -> None:
    text = json.dumps({"batch": [], "pageInfo": info, "backendId": BACKEND})

    assert read_page(text).remaining == remaining


def test_a_page_without_metadata() -> None:
    for metadata in ({}, {"metadata": {"_tag": "None"}}):
        wire = json.loads(page())
        del wire["batch"][0]["metadata"]
        wire["batch"][0] |= metadata

        assert read_page(json.dumps(wire)).events[0].created_at is None


@pytest.mark.parametrize("request_id", ["7", 7])
def test_chunks_and_ends_in_both_dialects(request_id: RequestId) -> None:
    chunk = answers.read_answer(rpc.chunk(request_id, page()).encode())

    assert isinstance(chunk, Chunk)
    assert chunk.request_id == "7"
    assert list(answers.read_pages(chunk.values)) == [read_page(page())]
    assert answers.read_answer(rpc.exit_success(request_id).encode()) == Exit("7", None)
    assert answers.read_answer(rpc.exit_success(request_id, "{}").encode()) == Exit("7", None)
    assert answers.read_answer(rpc.PONG.encode()) == Pong()


def test_a_defect_says_what_it_is() -> None:
    assert answers.read_answer(rpc.defect("not a message").encode()) == Defect('"not a message"')


@pytest.mark.parametrize("request_id", ["7", 7])
def test_typed_errors_in_both_dialects(request_id: RequestId) -> None:
    ahead = error_in(rpc.exit_fail(request_id, ServerAheadError(expected=7, provided=4)))
    other = error_in(
        rpc.exit_fail(request_id, BackendIdMismatchError(expected="here", received="there"))
    )

    assert isinstance(ahead, ServerAheadError)
    assert (ahead.expected, ahead.provided) == (7, 4)
    assert isinstance(other, BackendIdMismatchError)
    assert (other.expected, other.received) == ("here", "there")


@pytest.mark.parametrize(
    ("error", "may_pass"),
    [
        (LimitError("too much"), False),
        (StorageUnavailableError(), True),
        (StoreHeldError(), True),
        (StoreArrivingError(), True),
    ],
)
def test_other_errors_keep_their_name_and_words(error: LivesyncError, may_pass: bool) -> None:
    found = error_in(rpc.exit_fail("7", error))

    assert isinstance(found, RemoteError)
    assert (found.name, found.message) == (type(error).__name__, str(error))
    assert found.may_pass is may_pass


@pytest.mark.parametrize("request_id", ["7", 7])
def test_requests_that_the_server_ended(request_id: RequestId) -> None:
    died = error_in(rpc.exit_die(request_id, "missing field"))
    interrupted = error_in(rpc.exit_interrupted(request_id))

    assert str(died) == "Die: missing field"
    assert not died.leaves_doubt
    assert interrupted.leaves_doubt


def test_the_reasons_of_others_are_cut() -> None:
    died = error_in(json.dumps(_failure({"_tag": "Die", "defect": {"a": "x" * 1_000}})))

    assert len(str(died)) < 500


def test_a_tree_of_causes_is_searched_for_the_error() -> None:
    fail = {"_tag": "Fail", "error": {"_tag": "UnknownError", "cause": "no"}}
    tree = {"_tag": "Sequential", "left": {"_tag": "Empty"}, "right": fail}

    assert str(error_in(json.dumps(_failure(tree)))) == "UnknownError: no"


@pytest.mark.parametrize("name", vectors.names())
def test_every_answer_of_the_published_server_is_read(name: str) -> None:
    for record in vectors.from_server(name):
        if record.kind == "message":
            _read_whole(record.text)
        elif record.status == 200 and record.text.startswith("["):
            for item in json.loads(record.text):
                _read_whole(json.dumps(item))


@pytest.mark.parametrize(
    "frame",
    [
        *("", "x", "null", "7", "[]", "{}", '{"_tag":"Foo"}', '{"_tag":7}', '{"_tag":"Chunk"}'),
        *('{"_tag":"Chunk","values":[]}', '{"_tag":"Exit","requestId":"1"}'),
        '{"_tag":"Exit","requestId":"1","exit":null}',
        '{"_tag":"Exit","requestId":"1","exit":{"_tag":"Failure"}}',
        '{"_tag":"Exit","requestId":"1","exit":{"_tag":"Failure","cause":[]}}',
        '{"_tag":"Exit","requestId":{},"exit":{"_tag":"Success"}}',
    ],
)
def test_what_is_no_answer(frame: str) -> None:
    with pytest.raises(JsonError):
        answers.read_answer(frame.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"seqNum":7', '"seqNum":"7"'),
        ('"seqNum":7', '"seqNum":1.5'),
        ('"seqNum":7', '"seqNum":9007199254740992'),
        ('"parentSeqNum":6,', ""),
        (f'"{BACKEND}"', '""'),
        (f'"{BACKEND}"', f'"{"x" * 129}"'),
        (f'"{BACKEND}"', "null"),
        ('"batch":[', '"batch":[7,'),
        ('"pageInfo"', '"pageinfo"'),
    ],
)
def test_what_is_no_page(old: str, new: str) -> None:
    assert old in page()

    with pytest.raises(JsonError):
        read_page(page().replace(old, new))


@given(st.binary(max_size=200))
def test_bytes_are_an_answer_or_a_json_error(data: bytes) -> None:
    try:
        answers.read_answer(data)
    except JsonError:
        return


@given(st.binary(max_size=40), st.integers(0, 400))
def test_damaged_answers_raise_nothing_else(junk: bytes, place: int) -> None:
    for whole in (
        rpc.chunk("7", page()).encode(),
        rpc.exit_fail("7", ServerAheadError(expected=7, provided=4)).encode(),
    ):
        try:
            _read_whole_bytes(whole[:place] + junk + whole[place + len(junk) :])
        except JsonError:
            continue


def test_deep_nesting_is_a_json_error() -> None:
    deep = "[" * 100_000 + "]" * 100_000

    with pytest.raises(JsonError):
        error_in(f'{{"_tag":"Exit","requestId":"1","exit":{deep}}}')


def _failure(cause: Any) -> Any:
    return {"_tag": "Exit", "requestId": "7", "exit": {"_tag": "Failure", "cause": cause}}


def _read_whole(frame: str) -> None:
    _read_whole_bytes(frame.encode())


def _read_whole_bytes(frame: bytes) -> None:
    answer = answers.read_answer(frame)
    if isinstance(answer, Chunk):
        list(answers.read_pages(answer.values))
