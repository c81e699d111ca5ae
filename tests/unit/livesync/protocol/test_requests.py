"""What a client writes is what a server reads."""

import json
from typing import Any

import pytest
from msgspec import Raw

from livesync.protocol import requests, rpc
from livesync.protocol.binding import Binding
from livesync.protocol.calls import HTTP_PROCEDURES, WS_PROCEDURES, Call, Pull, Push, read_call
from livesync.protocol.events import Cursor
from livesync.protocol.messages import Limits
from livesync.protocol.rpc import Ack, Interrupt, Ping, Request
from tests.factories import make_event, make_events

STORE = 'my "store"'
BACKEND = "V1StGXR8_Z5jdHi6B-myT"
SECRET: Any = {"authToken": "secret"}
PAYLOAD = Raw(json.dumps(SECRET).encode())


def read(frame: bytes, procedures: str = WS_PROCEDURES) -> Call:
    (request,) = rpc.read_messages(frame.decode())
    assert isinstance(request, Request)
    call = read_call(
        request, procedures=procedures, binding=Binding(STORE, SECRET), limits=Limits()
    )
    assert isinstance(call, Pull | Push), call
    return call


@pytest.mark.parametrize("cursor", [None, Cursor(BACKEND, 0), Cursor(BACKEND, 2**53 - 1)])
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("payload", [None, PAYLOAD])
def test_a_pull(cursor: Cursor | None, live: bool, payload: Raw | None) -> None:
    frame = requests.pull("7", STORE, cursor, live=live, payload=payload)

    assert read(frame) == Pull("7", cursor, live)


def test_a_pull_over_http() -> None:
    frame = requests.pull_over_http("7", STORE, Cursor(BACKEND, 4), payload=PAYLOAD)

    assert read(frame, HTTP_PROCEDURES) == Pull("7", Cursor(BACKEND, 4), live=False)


@pytest.mark.parametrize("procedures", [WS_PROCEDURES, HTTP_PROCEDURES])
def test_a_push_with_args_to_the_letter(procedures: str) -> None:
    batch = [
        *make_events(2, args='{"b": 1.0, "a": "\\ud83d",\n"c": [1e400]}', name="Grüße"),
        make_event(3, args=None),
        make_event(4, args="null"),
    ]

    frame = requests.push("7", STORE, batch, BACKEND, payload=PAYLOAD, procedures=procedures)

    assert read(frame, procedures) == Push("7", BACKEND, batch)


def test_what_has_no_payload() -> None:
    frames = (requests.ack("7"), requests.interrupt("7"), requests.PING)
    messages = [message for frame in frames for message in rpc.read_messages(frame.decode())]

    assert messages == [Ack("7"), Interrupt("7"), Ping()]


def test_the_size_of_an_event_is_what_it_adds_to_a_push() -> None:
    one = make_event(1, args='"Grüße"')
    few = requests.push("7", STORE, [one], BACKEND, payload=None)
    more = requests.push("7", STORE, [one, one], BACKEND, payload=None)

    assert len(more) - len(few) == requests.size_of(one)
