"""What a request asks for, and whether it fits its connection."""

import json
from typing import Any

import pytest
from msgspec import Raw

from livesync.protocol.binding import Binding
from livesync.protocol.calls import (
    HTTP_PROCEDURES,
    RPC_PROCEDURES,
    WS_PROCEDURES,
    PingCall,
    Pull,
    Push,
    Refused,
    read_call,
)
from livesync.protocol.events import Cursor
from livesync.protocol.messages import Limits
from livesync.protocol.rpc import Request, RequestId
from tests.factories import make_event, make_events, option, wire_events

STORE = "my store"
URL_PAYLOAD = {"authToken": "secret"}


def call(
    tag: str, payload: Any, *, request_id: RequestId = "7", procedures: str = WS_PROCEDURES
) -> Any:
    raw = None if payload is None else Raw(json.dumps(payload, separators=(",", ":")).encode())
    request = Request(request_id, tag, raw)
    return read_call(
        request, procedures=procedures, binding=Binding(STORE, URL_PAYLOAD), limits=Limits()
    )


def pull_payload(**members: Any) -> dict[str, Any]:
    return {"storeId": STORE, "live": True, "cursor": option(None), **members}


def push_payload(*batch: Any, **members: Any) -> dict[str, Any]:
    return {"storeId": STORE, "batch": list(batch), "backendId": option(None), **members}


def test_each_transport_has_its_procedures() -> None:
    cursor = {"backendId": "id", "eventSequenceNumber": 3}
    seen = pull_payload(cursor=option(cursor))

    assert call("SyncWsRpc.Pull", seen) == Pull("7", Cursor("id", 3), True)
    assert call("SyncWsRpc.Push", push_payload(backendId=option("id"))) == Push("7", "id", [])
    http = {"procedures": HTTP_PROCEDURES}
    assert call("SyncHttpRpc.Pull", seen, **http) == Pull("7", Cursor("id", 3), False)
    assert call("SyncHttpRpc.Push", push_payload(), **http) == Push("7", None, [])
    assert call("SyncHttpRpc.Ping", {"storeId": STORE}, **http) == PingCall("7")
    by_rpc = {"procedures": RPC_PROCEDURES}
    assert call("SyncDoRpc.Pull", seen, **by_rpc) == Pull("7", Cursor("id", 3), False)
    assert call("SyncDoRpc.Push", push_payload(), **by_rpc) == Push("7", None, [])
    assert call("SyncDoRpc.Ping", {"storeId": STORE}, **by_rpc) == PingCall("7")


def test_a_pull_by_rpc_is_live_if_it_says_who_takes_the_updates() -> None:
    caller = {"bindingName": "CLIENT", "durableObjectId": "abc"}
    live = pull_payload(rpcContext={"callerContext": caller})

    pull = call("SyncDoRpc.Pull", live, procedures=RPC_PROCEDURES)

    assert pull == Pull("7", None, True, "abc")


def test_a_push_carries_its_events() -> None:
    batch = make_events(2)

    assert call("SyncWsRpc.Push", push_payload(*wire_events(batch))).batch == batch


@pytest.mark.parametrize(
    ("procedures", "tag"),
    [
        (WS_PROCEDURES, "SyncWsRpc.Nope"),
        (WS_PROCEDURES, "SyncHttpRpc.Pull"),
        (WS_PROCEDURES, "SyncWsRpc.Ping"),
        (WS_PROCEDURES, "SyncWsRpc.AdminReset"),
        (WS_PROCEDURES, "SyncWsRpc."),
        (WS_PROCEDURES, "SyncWsRpc"),
        (WS_PROCEDURES, "SyncWsRpc.Pull.Pull"),
        (WS_PROCEDURES, "syncwsrpc.pull"),
        (WS_PROCEDURES, ""),
        (HTTP_PROCEDURES, "SyncWsRpc.Pull"),
        (HTTP_PROCEDURES, "x" * 10_000),
        (RPC_PROCEDURES, "SyncWsRpc.Pull"),
        (RPC_PROCEDURES, "SyncDoRpc.Unsubscribe"),
    ],
)
@pytest.mark.parametrize("request_id", ["7", 7])
def test_an_unknown_procedure_kills_its_request_and_no_other(
    procedures: str, tag: str, request_id: RequestId
) -> None:
    refusal = call(tag, pull_payload(), request_id=request_id, procedures=procedures)

    assert cause_of(refusal, request_id) == ("Die", f"Unknown request tag: {tag[:128]}")
    assert not refusal.close


@pytest.mark.parametrize(
    ("tag", "payload", "defect"),
    [
        ("SyncWsRpc.Pull", None, "missing field 'payload' at $"),
        ("SyncWsRpc.Pull", "text", "expected an object at $"),
        ("SyncWsRpc.Pull", {}, "missing field 'storeId' at $"),
        ("SyncWsRpc.Pull", pull_payload(cursor=None), "expected an object at $.cursor"),
        ("SyncWsRpc.Push", push_payload(1), "expected an object at $.batch[0]"),
        ("SyncDoRpc.Pull", pull_payload(rpcContext=None), "expected an object at $.rpcContext"),
        (
            "SyncDoRpc.Pull",
            pull_payload(rpcContext={"callerContext": {"bindingName": "CLIENT"}}),
            "missing field 'durableObjectId' at $.rpcContext.callerContext",
        ),
    ],
)
def test_a_wrong_shape_kills_its_request(tag: str, payload: Any, defect: str) -> None:
    procedures, _, _ = tag.partition(".")

    assert cause_of(call(tag, payload, procedures=procedures), "7") == ("Die", defect)


def test_what_is_refused_fails_its_request() -> None:
    broken_chain = wire_events([make_event(1), make_event(1)])

    refusal = call("SyncWsRpc.Push", push_payload(*broken_chain))

    tag, error = cause_of(refusal, "7")
    assert (tag, error["_tag"], error["cause"]["name"]) == (
        "Fail",
        "UnknownError",
        "InvalidBatchError",
    )
    assert not refusal.close


@pytest.mark.parametrize("named", ["", "my store ", "MY STORE", "my\u00a0store", "other"])
@pytest.mark.parametrize(
    ("procedures", "tag", "payload"),
    [
        (WS_PROCEDURES, "SyncWsRpc.Pull", pull_payload()),
        (WS_PROCEDURES, "SyncWsRpc.Push", push_payload()),
        (HTTP_PROCEDURES, "SyncHttpRpc.Pull", pull_payload()),
        (HTTP_PROCEDURES, "SyncHttpRpc.Push", push_payload()),
        (HTTP_PROCEDURES, "SyncHttpRpc.Ping", {}),
        (RPC_PROCEDURES, "SyncDoRpc.Pull", pull_payload()),
        (RPC_PROCEDURES, "SyncDoRpc.Push", push_payload()),
        (RPC_PROCEDURES, "SyncDoRpc.Ping", {}),
    ],
)
def test_a_message_that_names_another_store_ends_its_connection(
    named: str, procedures: str, tag: str, payload: dict[str, Any]
) -> None:
    refusal = call(tag, payload | {"storeId": named}, procedures=procedures)

    assert refusal.close
    cause, error = cause_of(refusal, "7")
    assert (cause, error["cause"]["name"]) == ("Fail", "StoreMismatchError")
    assert STORE not in refusal.frame


@pytest.mark.parametrize(
    ("procedures", "tag", "payload"),
    [
        (WS_PROCEDURES, "SyncWsRpc.Pull", pull_payload()),
        (WS_PROCEDURES, "SyncWsRpc.Push", push_payload()),
        (HTTP_PROCEDURES, "SyncHttpRpc.Pull", pull_payload()),
        (HTTP_PROCEDURES, "SyncHttpRpc.Push", push_payload()),
        (HTTP_PROCEDURES, "SyncHttpRpc.Ping", {"storeId": STORE}),
    ],
)
def test_a_message_repeats_the_payload_of_its_connection_or_ends_it(
    procedures: str, tag: str, payload: dict[str, Any]
) -> None:
    same = call(tag, payload | {"payload": URL_PAYLOAD}, procedures=procedures)
    other = call(tag, payload | {"payload": {"authToken": "guess"}}, procedures=procedures)

    assert not isinstance(same, Refused)
    assert other.close
    cause, error = cause_of(other, "7")
    assert (cause, error["cause"]["name"]) == ("Fail", "PayloadMismatchError")
    assert "secret" not in other.frame
    assert "guess" not in other.frame


def cause_of(refusal: Any, request_id: RequestId) -> tuple[str, Any]:
    """What a refusal's frame says: Die and its defect, or Fail and its error."""
    assert isinstance(refusal, Refused)
    message = json.loads(refusal.frame)
    assert (message["_tag"], message["requestId"]) == ("Exit", request_id)
    assert message["exit"]["_tag"] == "Failure"
    cause = message["exit"]["cause"]
    if isinstance(request_id, int):
        (cause,) = cause
    return cause["_tag"], cause["defect" if cause["_tag"] == "Die" else "error"]
