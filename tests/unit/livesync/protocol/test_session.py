"""One connection: which requests are open, and how many may be."""

import json
from typing import Any

import pytest

from livesync.protocol.binding import Binding
from livesync.protocol.calls import Pull, Push, Refused
from livesync.protocol.messages import Limits
from livesync.protocol.rpc import Ack, Interrupt, Ping, RequestId
from livesync.protocol.session import Routed, Session
from tests.factories import option


@pytest.fixture
def session() -> Session:
    return Session(Binding("s"), limits=Limits(), max_requests=2, max_live_pulls=2)


def pull(request_id: RequestId, *, live: bool = False) -> str:
    return request(request_id, "Pull", {"live": live, "cursor": option(None)})


def push(request_id: RequestId) -> str:
    return request(request_id, "Push", {"batch": [], "backendId": option(None)})


def request(request_id: RequestId, name: str, payload: dict[str, Any]) -> str:
    envelope = {"_tag": "Request", "id": request_id, "tag": f"SyncWsRpc.{name}"}
    return json.dumps(envelope | {"payload": {"storeId": "s"} | payload})


def receive(session: Session, frame: str) -> Routed:
    (routed,) = session.receive(frame)
    return routed


def refusal_of(routed: Routed) -> str:
    assert isinstance(routed, Refused)
    error = json.loads(routed.frame)["exit"]["cause"]["error"]
    assert (error["_tag"], error["cause"]["name"]) == ("UnknownError", "LimitError")
    return str(error["cause"]["message"])


def test_requests_become_pulls_and_pushes(session: Session) -> None:
    assert receive(session, pull("1")) == Pull("1", None, False)
    assert receive(session, push("2")) == Push("2", None, [])


def test_what_speaks_of_requests_is_passed_on_whether_or_not_they_are_open(
    session: Session,
) -> None:
    assert receive(session, '{"_tag":"Ping"}') == Ping()
    assert receive(session, '{"_tag":"Ack","requestId":"77"}') == Ack("77")
    assert receive(session, '{"_tag":"Interrupt","requestId":"77"}') == Interrupt("77")
    assert list(session.receive('{"_tag":"Eof"}')) == []


def test_a_malformed_frame_is_answered_with_a_defect_and_nothing_is_closed(
    session: Session,
) -> None:
    routed = receive(session, "hello")

    assert isinstance(routed, Refused)
    assert json.loads(routed.frame)["_tag"] == "Defect"
    assert not routed.close


def test_too_many_messages_in_one_array_are_answered_with_one_defect(session: Session) -> None:
    routed = receive(session, json.dumps([{"_tag": "Ping"}] * 17))

    assert isinstance(routed, Refused)
    assert json.loads(routed.frame)["defect"] == "17 messages in one array, at most 16"


def test_an_id_in_use_is_refused_until_its_request_has_ended(session: Session) -> None:
    receive(session, pull("1", live=True))

    assert refusal_of(receive(session, pull("1"))) == "request id 1 is in use"
    assert refusal_of(receive(session, push("1"))) == "request id 1 is in use"
    session.close("1")
    assert receive(session, pull("1")) == Pull("1", None, False)


def test_the_number_and_the_text_are_two_ids(session: Session) -> None:
    receive(session, pull("1"))

    assert receive(session, pull(1)) == Pull(1, None, False)


def test_a_refused_request_does_not_use_its_id(session: Session) -> None:
    assert isinstance(receive(session, request("1", "Nope", {})), Refused)

    assert receive(session, pull("1")) == Pull("1", None, False)


def test_requests_are_limited_and_live_pulls_do_not_count(session: Session) -> None:
    for number in range(2):
        receive(session, pull(f"10{number}", live=True))
        receive(session, pull(f"{number}"))

    assert refusal_of(receive(session, push("9"))) == "more than 2 requests at once"
    session.close("0")
    assert receive(session, push("9")) == Push("9", None, [])


def test_live_pulls_are_limited(session: Session) -> None:
    receive(session, pull("1", live=True))
    receive(session, pull("2", live=True))

    refusal = refusal_of(receive(session, pull("3", live=True)))
    assert refusal == "more than 2 live pulls on one socket"
    assert receive(session, pull("4")) == Pull("4", None, False)
    session.close("1")
    assert receive(session, pull("3", live=True)) == Pull("3", None, True)


def test_closing_what_is_not_open_changes_nothing(session: Session) -> None:
    session.close("1")

    assert receive(session, pull("1")) == Pull("1", None, False)


def test_the_messages_of_an_array_see_each_other(session: Session) -> None:
    first, second = session.receive(f"[{pull('1')},{pull('1')}]")

    assert first == Pull("1", None, False)
    assert refusal_of(second) == "request id 1 is in use"
