"""What LiveStore's own client sent is understood, and what its server answered we can answer.

Where our answer differs on purpose (stricter chains, no silent death of a socket), the tables below
say what it is.
"""

import json
from collections import defaultdict
from typing import Any

import pytest

from livesync.protocol import records, rpc
from livesync.protocol.binding import Binding
from livesync.protocol.calls import (
    HTTP_PROCEDURES,
    RPC_PROCEDURES,
    PingCall,
    Pull,
    Push,
    Refused,
    read_call,
)
from livesync.protocol.errors import BackendIdMismatchError, ServerAheadError
from livesync.protocol.events import Cursor, Event
from livesync.protocol.messages import PING_ANSWER, PUSH_ACK, Limits
from livesync.protocol.pages import encode_item, encode_page
from livesync.protocol.rpc import Ack, Interrupt, Ping, Request
from livesync.protocol.search_params import match_sync_request
from livesync.protocol.session import Session
from tests import vectors
from tests.factories import wire_event

MANY = 1_000_000

REAL_CLIENT = [*vectors.names("ws-"), *vectors.names("http-client"), *vectors.names("http-pull")]

BARE_SOCKET = {
    "unknown rpc tag": "Die",
    "http tag on ws": "Die",
    "no rpc tag": "Die",
    "numeric id": "Pull",
    "missing id": "Defect",
    "non-numeric id": "Defect",
    "hex id": "Defect",
    "negative id": "Defect",
    "padded id": "Defect",
    "empty id": "Defect",
    "missing headers": "Pull",
    "payload missing": "Die",
    "payload {}": "Die",
    "live missing": "Die",
    "cursor missing": "Die",
    "cursor null": "Die",
    "cursor float": "Die",
    "cursor string num": "Die",
    "push batch missing": "Die",
    "push backendId missing": "Die",
    "push event without args": "Push",
    "push event missing name": "Die",
    "push event extra field": "Push",
    "push seqNum float": "Die",
    "extra payload field": "Pull",
    # raw-ws-malformed
    "not json": "Defect",
    "empty text": "Defect",
    "truncated json": "Defect",
    "json null": "Defect",
    "json number": "Defect",
    "json array of request": "Pull",
    "json object no _tag": "Defect",
    "unknown _tag": "Defect",
    "binary frame with valid json": "Pull",
    "Ping with whitespace": "Ping",
    "Ping extra field": "Ping",
    "binary Ping": "Ping",
    "Eof": "nothing",
    "Ack unknown": "Ack",
    "Ack no requestId": "Defect",
    "Ack non numeric": "Defect",
    "Interrupt no requestId": "Defect",
    # raw-ws-sequence-rules: the first event's parent is the only thing the reference looks at
    "gap inside batch 1,3": "Fail",  # its events name the parents 0 and 2
    "descending 2,1 (first parent 0)": "Fail",
    "duplicate seqNum in batch": "Fail",
    "first parent ok but seqNum jumps 0->5": "Push",
    "seqNum equals head 0": "Fail",
    "negative seqNum": "Fail",
    "inner parent broken": "Fail",
    "huge seqNum 2^53-1": "Push",
    "seqNum 2^53+2": "Die",
    "seed 1..3": "Push",
    "existing seqNum with right parent (PK clash)": "Fail",
    "after the clash push 4": "Push",
    "150 events in one raw push": "Push",
}

HTTP_BODIES = {
    "unknown tag": "Die",
    "malformed json": "Defect",
    "empty body": "Defect",
    "array body": "PingCall",
    "bad schema pull": "Die",
    "bad schema push": "Die",
    "non-numeric id": "Defect",
    "numeric id (number)": "PingCall",
    "ping without headers field": "PingCall",
    "ws tag over http": "Die",
    "Ping message": "Ping",
    "Ack message": "Ack",
    "Interrupt message": "Interrupt",
    "big id": "Defect",
    "push empty batch": "Push",
    "storeId in body differs": "Fail",
    "pull same url": "Pull",
}


def sessions_of(name: str) -> dict[int, Session]:
    """A session for each socket of a recording, made from its URL as the consumer makes it."""
    sessions = {}
    for record in vectors.read(name):
        if record.kind == "upgrade":
            request = match_sync_request(record.url.partition("?")[2].encode())
            assert request is not None
            binding = Binding(request.store_id, request.payload)
            sessions[record.connection] = Session(
                binding, limits=Limits(), max_requests=MANY, max_live_pulls=MANY
            )
    return sessions


def receive(record: vectors.Record, sessions: dict[int, Session]) -> list[Any]:
    """What the server makes of a frame or a body."""
    if record.transport == "ws":
        return list(sessions[record.connection].receive(record.text))
    return [read_body_message(message, record.url) for message in rpc.read_messages(record.text)]


def read_body_message(message: Any, url: str) -> Any:
    request = match_sync_request(url.partition("?")[2].encode())
    assert request is not None
    if isinstance(message, rpc.Malformed):
        return Refused(rpc.defect(message.reason))
    if not isinstance(message, Request):
        return message
    binding = Binding(request.store_id, request.payload)
    return read_call(message, procedures=HTTP_PROCEDURES, binding=binding, limits=Limits())


def expected(frame: dict[str, Any]) -> Any:
    """What a valid frame of the client says, read by hand."""
    match frame:
        case {"_tag": "Ping"}:
            return Ping()
        case {"_tag": "Ack", "requestId": request_id}:
            return Ack(request_id)
        case {"_tag": "Interrupt", "requestId": request_id}:
            return Interrupt(request_id)
        case {"_tag": "Request", "id": request_id, "tag": tag, "payload": payload}:
            return expected_call(request_id, tag.partition(".")[2], payload)
    raise AssertionError(f"the client never sends {frame}")


def expected_call(request_id: str, name: str, payload: dict[str, Any]) -> Any:
    match name:
        case "Pull":
            return Pull(request_id, cursor_of(payload["cursor"]), payload.get("live", False))
        case "Push":
            return Push(request_id, payload["backendId"].get("value"), payload["batch"])
        case "Ping":
            return PingCall(request_id)
    raise AssertionError(f"the client never calls {name}")


def cursor_of(option: dict[str, Any]) -> Cursor | None:
    if option["_tag"] == "None":
        return None
    return Cursor(option["value"]["backendId"], option["value"]["eventSequenceNumber"])


def comparable(call: Any) -> Any:
    """A push with its events as the client writes them, so that it can be compared."""
    batch: Any = [wire_event(event) for event in getattr(call, "batch", ())]
    return call._replace(batch=batch) if type(call) is Push else call


def kind_of(routed: list[Any]) -> str:
    """One word for what became of a frame: the call, the answer at once, or nothing."""
    if not routed:
        return "nothing"
    (one,) = routed
    if not isinstance(one, Refused):
        return type(one).__name__
    answer = json.loads(one.frame)
    return str(answer["_tag"] if answer["_tag"] == "Defect" else answer["exit"]["cause"]["_tag"])


@pytest.mark.parametrize("name", REAL_CLIENT)
def test_every_frame_of_the_real_client_is_understood(name: str) -> None:
    sessions = sessions_of(name)

    for record in vectors.from_client(name):
        (routed,) = receive(record, sessions)
        assert comparable(routed) == expected(json.loads(record.text))


@pytest.mark.parametrize("name", REAL_CLIENT)
def test_the_args_of_the_real_client_stay_as_it_wrote_them(name: str) -> None:
    sessions = sessions_of(name)

    for record in vectors.from_client(name):
        for routed in receive(record, sessions):
            for event in routed.batch if isinstance(routed, Push) else ():
                assert event.args is None or f'"args":{event.args},' in record.text


@pytest.mark.parametrize(
    "name", ["raw-ws-bad-requests", "raw-ws-malformed", "raw-ws-sequence-rules"]
)
def test_every_bad_frame_has_its_answer_and_the_socket_stays_usable(name: str) -> None:
    sessions = sessions_of(name)
    found: dict[str, list[str]] = defaultdict(list)

    for label, record in vectors.labelled(name):
        if not label.startswith(("20 events", "unknown rpc tag: ")) and ": replies" not in label:
            found[label].append(kind_of(receive(record, sessions)))
        elif ": replies" in label:
            assert kind_of(receive(record, sessions)) == "Pull"

    assert found
    assert found == {label: [BARE_SOCKET[label]] for label in found}


def test_every_bad_body_has_its_answer() -> None:
    found = {
        label: kind_of(receive(record, {}))
        for label, record in vectors.labelled("http-raw-bad")
        if label in HTTP_BODIES
    }

    assert found == HTTP_BODIES


def test_the_reference_lost_half_a_batch_that_we_refuse_whole() -> None:
    (record,) = (
        record
        for label, record in vectors.labelled("raw-ws-sequence-rules")
        if label.startswith("20 events with clash")
    )

    assert kind_of(receive(record, sessions_of("raw-ws-sequence-rules"))) == "Fail"


def test_the_store_of_the_url_is_the_only_one() -> None:
    name = "raw-ws-storeid-mismatch"
    other, same = vectors.from_client(name)[:2]
    sessions = sessions_of(name)

    (refusal,) = receive(other, sessions)

    assert isinstance(refusal, Refused)
    assert refusal.close
    assert kind_of(receive(same, sessions)) == "Pull"


def answers() -> list[tuple[str, dict[str, Any]]]:
    """Every message that the reference server sent, with the recording it is from."""
    found = []
    for name in vectors.names():
        for record in vectors.from_server(name):
            if record.transport == "ws":
                found.append((name, json.loads(record.text)))
            elif record.status == 200 and record.text.startswith("["):
                found += [(name, message) for message in json.loads(record.text)]
    return found


def encode(message: dict[str, Any]) -> str | None:
    """The same message by our encoder; None for one whose words are the reference's own."""
    match message:
        case {"_tag": "Pong"}:
            return rpc.PONG
        case {"_tag": "Chunk", "requestId": request_id, "values": values}:
            return rpc.chunk(request_id, ",".join(map(encode_value, values)))
        case {"_tag": "Exit", "requestId": request_id, "exit": {"_tag": "Success", **rest}}:
            return encode_success(request_id, rest)
        case {"_tag": "Exit", "requestId": request_id, "exit": {"cause": {"error": error}}}:
            return encode_failure(request_id, error)
    return None


def encode_success(request_id: str, rest: dict[Any, Any]) -> str:
    match rest:
        case {"value": {"_tag": "SyncMessage.Pong"}}:
            return rpc.exit_success(request_id, PING_ANSWER)
        case {"value": _}:
            return rpc.exit_success(request_id, PUSH_ACK)
    return rpc.exit_success(request_id)


def encode_failure(request_id: str, error: dict[str, Any]) -> str | None:
    match error:
        case {"_tag": "ServerAheadError", "minimumExpectedNum": head, "providedNum": parent}:
            return rpc.exit_fail(request_id, ServerAheadError(expected=head, provided=parent))
        case {"_tag": "BackendIdMismatchError", "expected": ours, "received": theirs}:
            return rpc.exit_fail(request_id, BackendIdMismatchError(expected=ours, received=theirs))
    return None


def encode_value(value: dict[str, Any]) -> str:
    events = [
        encode_item(*columns(item["eventEncoded"]), item["metadata"]["value"]["createdAt"])
        for item in value["batch"]
    ]
    remaining = value["pageInfo"].get("remaining", 0)
    return encode_page(events, remaining=remaining, backend_id=value["backendId"])


def columns(event: dict[str, Any]) -> tuple[int, int, str, str | None, str, str]:
    args = json.dumps(event["args"]) if "args" in event else None
    stored = Event(
        event["name"], args, event["seqNum"], event["parentSeqNum"], event["clientId"],
        event["sessionId"],
    )  # fmt: skip
    return (
        stored.seq_num, stored.parent_seq_num, stored.name, stored.args, stored.client_id,
        stored.session_id,
    )  # fmt: skip


def test_what_the_reference_answers_we_answer_in_the_same_form() -> None:
    compared: dict[str, int] = defaultdict(int)

    for name, message in answers():
        text = encode(message)
        if text is not None:
            assert json.loads(text) == message, name
            compared[message["_tag"]] += 1

    # so that a change in the recordings cannot leave this test with nothing to compare
    assert set(compared) == {"Pong", "Chunk", "Exit"}
    assert min(compared.values()) > 50


def test_every_request_by_rpc_is_understood() -> None:
    kinds: dict[str, int] = defaultdict(int)

    for message in vectors.rpc_messages():
        if message.direction == "c2s":
            (request,) = rpc.read_messages(
                records.to_json(message.data, max_chars=MANY, max_depth=64)
            )
            assert isinstance(request, Request)
            binding = Binding(message.value[0]["payload"]["storeId"], {"token": "t"})
            call = read_call(request, procedures=RPC_PROCEDURES, binding=binding, limits=Limits())
            kinds[type(call).__name__] += 1

    assert kinds == {"PingCall": 1, "Pull": 5, "Push": 4}


def test_what_the_reference_answers_by_rpc_we_answer_in_the_same_form() -> None:
    compared: dict[str, int] = defaultdict(int)

    for message in vectors.rpc_messages():
        (value,) = message.value
        if message.direction == "s2c":
            text = encode_by_rpc(value)
            assert json.loads(text or "null") == value
            compared[value["_tag"]] += 1

    assert compared == {"Chunk": 5, "Exit": 10}


def encode_by_rpc(message: dict[str, Any]) -> str | None:
    """The same message by our encoder."""
    if message["_tag"] == "Chunk":
        (value,) = message["values"]
        return rpc.rpc_chunk(message["requestId"], encode_value(value))
    return encode(message)
