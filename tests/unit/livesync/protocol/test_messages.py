"""Pull, push and ping shapes: what is read, what is refused, what is written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from groundwork import strict_json
from groundwork.strict_json import ShapeError
from livesync.protocol import messages, pages
from livesync.protocol.errors import (
    BackendIdMismatchError,
    InvalidBatchError,
    InvalidCursorError,
    LimitError,
    ServerAheadError,
    StoreMismatchError,
)
from livesync.protocol.events import MAX_SEQ_NUM, Cursor, Event
from livesync.protocol.messages import Limits, PingRequest, PullRequest, PushRequest
from tests.factories import make_event, make_events, option, wire_event, wire_events

CREATED_AT = "2026-11-21T17:40:00.123Z"

names = st.text(max_size=8).filter(
    lambda text: "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
)
json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
    ),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(max_size=3), items),
    max_leaves=4,
)
args_texts = st.one_of(
    st.none(),
    json_values.map(json.dumps),
    st.sampled_from(
        [
            "null",
            r'"\u0000"',
            r'{"cut emoji":"\ud83d"}',
            r'"<\/script>"',
            '{ "b" : 1.0,\n"a":1e400 ,"a":-0.0}',
            '"\u2028\u2029\uffff\x7f\U0001f600"',
            "123456789012345678901234567890",
            "9" * 5_000,
        ]
    ),
)  # fmt: skip
events = st.builds(
    Event, name=names, args=args_texts, seq_num=st.just(1), parent_seq_num=st.just(0),
    client_id=names, session_id=names,
)  # fmt: skip


def read_push(payload: Any, limits: Limits = Limits()) -> PushRequest:  # noqa: B008 (immutable)
    return messages.read_push(raw(payload), limits=limits)


def read_pull(payload: Any, *, with_live: bool = True) -> PullRequest:
    return messages.read_pull(raw(payload), with_live=with_live, limits=Limits())


def read_ping(payload: Any) -> PingRequest:
    return messages.read_ping(raw(payload), limits=Limits())


def raw(value: Any) -> Raw:
    return Raw((value if isinstance(value, str) else dumps(value)).encode())


def dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def push_payload(*batch: Any, **members: Any) -> dict[str, Any]:
    return {"storeId": "s", "batch": list(batch), "backendId": option(None), **members}


def pull_payload(**members: Any) -> dict[str, Any]:
    return {"storeId": "s", "live": True, "cursor": option(None), **members}


def push_text(event: Event) -> str:
    """A push of one event, with its args just as they are written."""
    members = wire_event(Event(event.name, None, *event_key(event)))
    text = dumps(push_payload(members))
    if event.args is None:
        return text
    return text.replace('"seqNum"', f'"args": {event.args} ,"seqNum"')


def event_key(event: Event) -> tuple[int, int, str, str]:
    return event.seq_num, event.parent_seq_num, event.client_id, event.session_id


def test_a_push_is_its_store_its_history_and_its_events() -> None:
    batch = make_events(3)

    assert read_push(push_payload(*wire_events(batch))) == PushRequest("s", None, batch)
    assert read_push(push_payload(backendId=option("id"))) == PushRequest("s", "id", [])


@given(events)
def test_what_an_event_holds_is_read_as_it_was_written(event: Event) -> None:
    assert read_push(push_text(event)).batch == [event]


@given(events)
def test_an_event_comes_back_with_its_args_character_for_character(event: Event) -> None:
    (stored,) = read_push(push_text(event)).batch

    text = pages.encode_event(stored, CREATED_AT)

    assert text.encode().decode() == text
    members = strict_json.loads(text)["eventEncoded"]
    if event.args is None:
        assert "args" not in members
    else:
        assert f'"args":{event.args},"seqNum"' in text
        members["args"] = event.args
    assert Event(
        members["name"], members.get("args"), members["seqNum"], members["parentSeqNum"],
        members["clientId"], members["sessionId"],
    ) == event  # fmt: skip


def test_extra_members_of_an_event_are_dropped() -> None:
    event = make_event(1)

    assert read_push(push_payload(wire_event(event) | {"zzz": {"a": 1}})).batch == [event]


@pytest.mark.parametrize(("number", "read_as"), [("1.0", 1), ("1e0", 1), ("10e-1", 1)])
def test_a_number_is_what_javascript_makes_of_it(number: str, read_as: int) -> None:
    text = push_text(make_event(1)).replace('"seqNum":1', f'"seqNum":{number}')
    assert f":{number}" in text

    assert read_push(text).batch[0].seq_num == read_as


def test_minus_zero_is_the_parent_of_the_first_event() -> None:
    text = push_text(make_event(1)).replace('"parentSeqNum":0', '"parentSeqNum":-0')
    assert ":-0" in text

    assert read_push(text).batch[0].parent_seq_num == 0


@pytest.mark.parametrize(
    "number", ["1.5", '"1"', "true", "null", "[]", "9007199254740992", "1e308"]
)
def test_what_javascript_holds_as_no_exact_integer_is_no_number(number: str) -> None:
    text = push_text(make_event(1)).replace('"seqNum":1', f'"seqNum":{number}')
    assert f":{number}" in text

    with pytest.raises(ShapeError):
        read_push(text)


def test_the_largest_number_is_accepted() -> None:
    event = make_event(MAX_SEQ_NUM, parent=0)

    assert read_push(push_payload(wire_event(event))).batch == [event]


@pytest.mark.parametrize("member", ["name", "seqNum", "parentSeqNum", "clientId", "sessionId"])
def test_an_event_without_a_member_is_of_another_shape(member: str) -> None:
    event = wire_event(make_event(1))
    del event[member]

    with pytest.raises(ShapeError, match=f"missing field '{member}'"):
        read_push(push_payload(event))


@pytest.mark.parametrize("member", ["storeId", "batch", "backendId"])
def test_a_push_without_a_member_is_of_another_shape(member: str) -> None:
    payload = push_payload()
    del payload[member]

    with pytest.raises(ShapeError, match=f"missing field '{member}'"):
        read_push(payload)


@pytest.mark.parametrize(
    "payload",
    [
        "null",
        '"push"',
        "[]",
        push_payload(batch={}),
        push_payload(1),
        push_payload(storeId=1),
        push_payload(backendId=None),
        push_payload(backendId="id"),
        push_payload(backendId={"_tag": "Foo"}),
        push_payload(backendId={"_tag": "Some"}),
        push_payload(backendId={"_tag": "Some", "value": 1}),
        push_payload(backendId={"_tag": "Some", "value": None}),
    ],
    ids=repr,
)
def test_a_push_of_another_shape_is_told_as_such(payload: Any) -> None:
    with pytest.raises(ShapeError):
        read_push(payload)


@pytest.mark.parametrize("length", [0, 129])
def test_a_backend_id_of_an_impossible_length_is_refused_and_not_repeated(length: int) -> None:
    backend_id = "x" * length

    with pytest.raises(InvalidCursorError, match=f"1 to 128 characters, not {length}") as push:
        read_push(push_payload(backendId=option(backend_id) | {"value": backend_id}))
    with pytest.raises(InvalidCursorError) as pull:
        read_pull(pull_payload(cursor=cursor(0, backend_id)))

    assert "xxx" not in f"{push.value}{pull.value}"


@pytest.mark.parametrize("field", ["name", "clientId", "sessionId"])
@pytest.mark.parametrize(
    ("text", "is_accepted"),
    [
        ("", True),
        ("a" * 1_024, True),
        ("a" * 1_025, False),
        ("\U0001f600" * 256, True),
        ("\U0001f600" * 257, False),
        ("a\0", False),
        ("\ud83d", False),
    ],
)
def test_each_name_has_its_limit(field: str, text: str, is_accepted: bool) -> None:
    payload = push_payload(wire_event(make_event(1)) | {field: text})

    if is_accepted:
        assert read_push(payload).batch
    else:
        with pytest.raises(InvalidBatchError, match=field):
            read_push(payload)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def test_args_are_kept_up_to_their_depth_and_not_beyond() -> None:
    deep = make_event(1, args=nested(512))

    assert read_push(push_text(deep)).batch == [deep]
    with pytest.raises(InvalidBatchError, match="args are nested more than 512 deep"):
        read_push(push_text(make_event(1, args=nested(513))))
    with pytest.raises(InvalidBatchError, match="more than 2 deep"):
        read_push(push_text(make_event(1, args=nested(3))), Limits(args_max_depth=2))


def test_the_payload_of_the_client_is_kept_as_text_up_to_its_depth() -> None:
    members = {"payload": json.loads(nested(64))}
    too_deep = {"payload": json.loads(nested(65))}

    assert read_push(push_payload(**members)).payload == raw(nested(64))
    assert read_pull(pull_payload(**members)).payload == raw(nested(64))
    assert read_ping({"storeId": "s"} | members).payload == raw(nested(64))
    for read in (
        lambda: read_push(push_payload(**too_deep)),
        lambda: read_pull(pull_payload(**too_deep)),
        lambda: read_ping({"storeId": "s"} | too_deep),
    ):
        with pytest.raises(ShapeError, match="payload is nested more than 64 deep"):
            read()


def test_a_broken_chain_is_refused_whole() -> None:
    with pytest.raises(InvalidBatchError, match="event 2 continues 0, but follows 1"):
        read_push(push_payload(*wire_events([make_event(1), make_event(2, parent=0)])))


def cursor(seq_num: Any, backend_id: Any = "id") -> dict[str, Any]:
    value = {"backendId": backend_id, "eventSequenceNumber": seq_num}
    return {"_tag": "Some", "value": value}


@pytest.mark.parametrize(
    ("members", "seen"),
    [
        ({}, None),
        ({"cursor": cursor(0)}, Cursor("id", 0)),
        ({"cursor": cursor(MAX_SEQ_NUM)}, Cursor("id", MAX_SEQ_NUM)),
        ({"cursor": cursor(5.0)}, Cursor("id", 5)),
        ({"cursor": {"_tag": "None", "value": "ignored"}}, None),
    ],
)
def test_a_pull_says_what_the_client_has_seen(members: Any, seen: Cursor | None) -> None:
    assert read_pull(pull_payload(**members)) == PullRequest("s", seen, True)


def test_live_is_a_choice_over_websockets_and_unknown_over_http() -> None:
    assert not read_pull(pull_payload(live=False)).live
    assert not read_pull(pull_payload(), with_live=False).live
    for live in ("yes", 1, None):
        with pytest.raises(ShapeError):
            read_pull(pull_payload(live=live))
    without = pull_payload()
    del without["live"]
    assert not read_pull(without, with_live=False).live
    with pytest.raises(ShapeError, match="missing field 'live'"):
        read_pull(without)


@pytest.mark.parametrize(
    "wrong",
    [None, "None", {}, {"_tag": "Foo"}, {"_tag": "Some"}, {"_tag": "Some", "value": None},
     cursor(1.5), cursor("1"), cursor(True), cursor(2**53), cursor(-(2**53)), cursor(1, None)],
    ids=repr,
)  # fmt: skip
def test_a_cursor_of_another_shape_is_told_as_such(wrong: Any) -> None:
    with pytest.raises(ShapeError):
        read_pull(pull_payload(cursor=wrong))


def test_a_negative_cursor_is_refused() -> None:
    with pytest.raises(InvalidCursorError, match="cursor -1 is below 0"):
        read_pull(pull_payload(cursor=cursor(-1)))


def test_a_ping_names_its_store() -> None:
    assert read_ping({"storeId": "s"}) == PingRequest("s", None)
    assert read_ping({"storeId": "s", "payload": None}).payload == raw("null")
    with pytest.raises(ShapeError):
        read_ping({})


@pytest.mark.parametrize(
    ("error", "members"),
    [
        (
            ServerAheadError(expected=3, provided=8),
            {"_tag": "ServerAheadError", "minimumExpectedNum": 3, "providedNum": 8},
        ),
        (
            BackendIdMismatchError(expected="ours", received="theirs"),
            {"_tag": "BackendIdMismatchError", "expected": "ours", "received": "theirs"},
        ),
        (
            LimitError("too much"),
            {"_tag": "UnknownError", "cause": {"name": "LimitError", "message": "too much"}},
        ),
        (
            KeyError("a secret of the server"),
            {
                "_tag": "UnknownError",
                "cause": {"name": "InternalError", "message": "the server failed"},
            },
        ),
    ],
)
def test_errors_have_the_members_that_clients_know(
    error: Exception, members: dict[str, Any]
) -> None:
    assert messages.encode_error(error) == members


def test_an_error_repeats_neither_a_long_id_nor_the_stores_of_others() -> None:
    mismatch = messages.encode_error(BackendIdMismatchError(expected="a", received="x" * 1_000))

    assert mismatch["received"] == "x" * 128
    assert "'" not in str(StoreMismatchError())
